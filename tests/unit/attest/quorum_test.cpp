#include "attest/quorum.hpp"

#include <catch2/catch.hpp>

#include "attest_support.hpp"

using namespace capsule;
using attest::Quorum;

namespace {

attest::Signers signers(unsigned threshold, std::vector<std::string> withdrawn = {}) {
  return {{test_key("ecdsa-p256"), test_key("rsa-2048"), test_key("ed25519")}, threshold, std::move(withdrawn)};
}

}  // namespace

TEST_CASE("different keys count, once each, and strangers do not") {
  struct Row {
    unsigned threshold;
    std::vector<std::string> signed_by;
    bool met;
  };
  const std::vector<Row> rows{
      {1, {}, false},
      {1, {"rsa-2048"}, true},
      {1, {"ecdsa-p384"}, false},
      {2, {"rsa-2048", "rsa-2048"}, false},
      {2, {"rsa-2048", "ecdsa-p384"}, false},
      {2, {"rsa-2048", "ecdsa-p384", "ed25519"}, true},
      {3, {"rsa-2048", "ed25519"}, false},
      {3, {"rsa-2048", "ed25519", "rsa-2048", "ecdsa-p256"}, true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.threshold, row.signed_by);
    Quorum quorum{signers(row.threshold)};
    for (const auto& name : row.signed_by) quorum.count(test_key(name));
    CHECK(quorum.is_met() == row.met);
    const auto error = error_of([&] { quorum.require("x"); });
    CHECK(error.kind() == (row.met ? ErrorKind::unavailable : ErrorKind::verification_failed));
  }
}

TEST_CASE("one key in two encodings is one") {
  Quorum quorum{signers(2)};
  quorum.count(test_key("rsa-2048"));
  quorum.count(test_signer("rsa-2048.pkcs1")->public_key());
  quorum.count(crypto::PublicKey::from_der(test_key("rsa-2048").spki(), "the same"));
  CHECK(quorum.signed_by().size() == 1);
}

TEST_CASE("the error says how many of how many, who is missing, who no longer counts, and why") {
  Quorum quorum{{{test_key("ecdsa-p256"), test_key("rsa-2048")}, 3, {"OLD expired at 2020-01-01T00:00:00.000Z"}}};
  quorum.count(test_key("rsa-2048"));
  quorum.note("a bundle is no bundle");
  const auto message = error_of([&] { quorum.require("demo 1.0.0"); }).message();
  CAPTURE(message);
  for (const auto& part :
       {std::string{"1 of the 3 signatures"}, std::string{"demo 1.0.0"}, "signed by " + test_key("rsa-2048").id(),
        "missing: 2 of " + test_key("ecdsa-p256").id(), std::string{"no longer counts: OLD expired"},
        std::string{"too few keys left"}, std::string{"a bundle is no bundle"}})
    CHECK(message.find(part) != std::string::npos);
}
