#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "resolve/proved_capsule.hpp"

using namespace capsule;

TEST_CASE("the line of a proof says how many trusted keys signed one of its run") {
  const auto digest = crypto::sha256("x");
  proof::CheckedProof proof{
      digest, {digest, digest, digest, "proof_00000001", digest, "UTID:x", {}, {}, {}, {}}, {}, {}};
  CHECK_THAT(resolve::checks_of(proof, {}).front(), Catch::Contains("signed by a trusted key, about this capsule"));
  proof.signers = 2;
  CHECK_THAT(resolve::checks_of(proof, {}).front(), Catch::Contains("signed by 2 trusted keys, about this capsule"));
}
