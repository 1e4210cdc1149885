#include "proof/bundle.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "attest/statement.hpp"
#include "crypto/key.hpp"
#include "fs/atomic_file.hpp"
#include "unit/proof/fixture.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

std::unique_ptr<crypto::Signer> new_signer() {
  static int count = 0;
  const auto pair = crypto::generate_key(crypto::KeyType::ecdsa_p256);
  const auto path = fmt::format("/tmp/capsule-bundle-test-{}-{}.pem", ::getpid(), ++count);
  fs::write_file(path, pair.private_pem.reveal(), 0600);
  auto signer = crypto::open_signer(path, std::nullopt);
  std::filesystem::remove(path);
  return signer;
}

/// A proven run of the capsule "probe" and the bundle about it.
struct Proven {
  test::ProvenRun run;
  CapsuleFacts facts{.name = "probe",
                     .version = "1.0.0",
                     .capsule_digest = crypto::sha256("capsule"),
                     .policy = {.required = true, .types = {"mathematical_proof", "sim_alignment"}, .anchors = {}},
                     .claims_path = "proof-hooks/claims.json",
                     .claims = run.claims,
                     .claims_digest = crypto::sha256(test::claims_text),
                     .files = run.files};
  Digest index = crypto::sha256("index");
  std::string record = record_of(facts.capsule_digest, "1.0.0");
  std::unique_ptr<crypto::Signer> signer = new_signer();

  static std::string record_of(const Digest& capsule, const std::string& version) {
    auto value = json::parse(test::record_text, "record");
    value.if_object()->set("capsule",
                           json::Object{{"name", "probe"}, {"version", version}, {"digest", capsule.text()}});
    return json::compact(value);
  }

  [[nodiscard]] Bundle bundle() const {
    return {.capsule = facts.capsule_digest,
            .version_index = index,
            .run_record = crypto::sha256(record),
            .proof_id = "proof_0123abcd",
            .proof_hash = proof_hash(facts.capsule_digest, *facts.claims_digest, crypto::sha256(record)),
            .utid = "UTID:REAL:x",
            .policy = facts.policy,
            .evidence = json::Array{run.mathematical(), run.alignment()},
            .service = json::Object{{"url", "http://127.0.0.1:1"}},
            .replay = json::Object{{"done", true}}};
  }

  /// Through signing and opening: what a stranger finds, "" if nothing.
  [[nodiscard]] std::string fault(const Bundle& stated) const {
    const std::vector keys{signer->public_key()};
    try {
      static_cast<void>(check_bundle(open_bundle(sign_bundle(stated, *signer), keys), facts, index, record));
      return {};
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::verification_failed);
      return error.message();
    }
  }
};

}  // namespace

TEST_CASE("a proof bundle is signed, opened and checked again by a stranger") {
  const Proven proven;
  const auto text = sign_bundle(proven.bundle(), *proven.signer);
  const std::vector keys{proven.signer->public_key()};
  const auto bundle = open_bundle(text, keys);
  CHECK(bundle.proof_id == "proof_0123abcd");
  CHECK(bundle.version_index == proven.index);
  const auto results = check_bundle(bundle, proven.facts, proven.index, proven.record);
  CHECK(results.size() == 3);

  const std::vector others{new_signer()->public_key()};
  CHECK_THROWS_AS(open_bundle(text, others), Error);
  const attest::Statement other{
      .subjects = {{"capsule", proven.index}}, .predicate_type = "https://example.com/other", .predicate = {}};
  CHECK_THROWS_AS(open_bundle(attest::sign_statement(other, *proven.signer), keys), Error);
}

TEST_CASE("a bundle of another capsule, version, run or policy is refused (attacks 20)") {
  const Proven proven;
  const auto other = crypto::sha256("other");
  const auto with = [&](auto member, auto value) {
    auto bundle = proven.bundle();
    bundle.*member = value;
    return proven.fault(bundle);
  };
  CHECK(proven.fault(proven.bundle()).empty());
  CHECK_THAT(with(&Bundle::capsule, other), Catch::Contains("another capsule"));
  CHECK_THAT(with(&Bundle::version_index, other), Catch::Contains("another version index"));
  CHECK_THAT(with(&Bundle::run_record, other), Catch::Contains("another run record"));
  CHECK_THAT(with(&Bundle::proof_hash, other), Catch::Contains("another proof hash"));
  CHECK_THAT(with(&Bundle::policy, ProofPolicy{}), Catch::Contains("another proof policy"));
  CHECK_THAT(with(&Bundle::evidence, json::Value{json::Array{}}), Catch::Contains("nothing proves"));
  CHECK_THAT(with(&Bundle::evidence, json::Value{json::Object{}}), Catch::Contains("array"));
  CHECK_THAT(with(&Bundle::service, json::Value{}), Catch::Contains("object"));
  CHECK_THAT(with(&Bundle::proof_id, std::string{"proof_1"}), Catch::Contains("proof_id"));
}

TEST_CASE("a run record of another capsule or version is refused") {
  Proven proven;
  proven.record = Proven::record_of(crypto::sha256("other"), "1.0.0");
  CHECK_THAT(proven.fault(proven.bundle()), Catch::Contains("a run of another capsule"));
  proven.record = Proven::record_of(proven.facts.capsule_digest, "1.0.1");
  CHECK_THAT(proven.fault(proven.bundle()), Catch::Contains("a run of another capsule"));
}

TEST_CASE("a proof type that the policy asks for and no evidence gives is refused") {
  Proven proven;
  proven.facts.policy.types.emplace_back("energy_audit");
  CHECK_THAT(proven.fault(proven.bundle()), Catch::Contains("asks for energy_audit"));
  const auto bundle = proven.bundle();
  proven.facts.claims_digest.reset();
  CHECK_THROWS_WITH(check_bundle(bundle, proven.facts, proven.index, proven.record),
                    Catch::Contains("makes no claims"));
}
