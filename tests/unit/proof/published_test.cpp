#include "proof/published.hpp"

#include <fmt/format.h>

#include <sstream>

#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "image/published_package.hpp"
#include "oci/media_types.hpp"
#include "support/sample_package.hpp"
#include "unit/proof/fixture.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

sample::Files files_with(const std::string& policy, const std::string& folder = "proof-hooks/") {
  return {
      {"capsule.json", R"({"name":"sample","version":"1.2.3","entrypoint":"run.sh","proof_policy":)" + policy + "}"},
      {"run.sh", "#!/bin/sh\necho '{}'\n"},
      {folder + "generate_proof.py", "#!/usr/bin/env python3\n"},
      {folder + "claims.json", test::claims_text},
      {"simulation/reference.json", test::reference_text},
      {"simulation/other.json", "{}"}};
}

const std::string both_types = R"({"required":true,"types":["mathematical_proof","sim_alignment"]})";

CapsuleFacts collected(const sample::Files& files) {
  const sample::Package package{files};
  FactsCollector collector;
  const auto capsule = sample::verify(package.signed_package(), package.key(), {.observer = &collector});
  const auto facts = collector.finish(capsule);
  // The same from the unpacked files.
  CHECK(facts_in_folder(capsule, package.folder()).claims_digest == facts.claims_digest);
  return facts;
}

}  // namespace

TEST_CASE("what a proof needs of a capsule is collected while it is verified") {
  for (const std::string folder : {"proof-hooks/", "proof_hooks/"}) {
    const auto facts = collected(files_with(both_types, folder));
    CHECK(facts.name == "sample");
    CHECK(facts.claims_path == folder + "claims.json");
    CHECK(facts.claims.claims.size() == 3);
    CHECK(facts.require_claims() == crypto::sha256(test::claims_text));
    CHECK(facts.files == std::map<std::string, std::string>{{"simulation/reference.json", test::reference_text}});
  }
}

TEST_CASE("other files do not take the room of claims and of what lies beside them") {
  auto files = files_with(both_types);
  const std::string small = '"' + std::string(max_reference_bytes / 64 - 2, 'x') + '"';
  const std::string big = '"' + std::string(max_reference_bytes - 2, 'x') + '"';
  for (int i = 0; i < 15; ++i) files[fmt::format("data/a{}.json", i)] = big;
  for (int i = 0; i < 64; ++i) files[fmt::format("data/b{}.json", i)] = small;
  files["data/c.json"] = small.substr(0, small.size() - 160) + '"';  // what is left is less than the reference needs
  CHECK_THROWS_WITH(collected(files), Catch::Contains("simulation/reference.json") && Catch::Contains("proof-hooks/"));
  auto& claims = files["proof-hooks/claims.json"];
  claims.replace(claims.find("simulation/"), std::string_view{"simulation"}.size(), "proof-hooks");
  files["proof-hooks/reference.json"] = test::reference_text;
  CHECK(collected(files).files.count("proof-hooks/reference.json") == 1);
}

TEST_CASE("a capsule without claims makes none; one whose policy needs them is refused") {
  auto files = files_with(R"({"required":false,"types":[]})");
  files.erase("proof-hooks/claims.json");
  const auto facts = collected(files);
  CHECK_FALSE(facts.claims_digest);
  CHECK_THROWS_WITH(facts.require_claims(), Catch::Contains("makes no claims"));
  files["capsule.json"] = files_with(both_types)["capsule.json"];
  CHECK_THROWS_WITH(collected(files), Catch::Contains("asks for mathematical_proof"));
  files["proof-hooks/claims.json"] =
      R"({"version":1,"claims":[{"name":"c","type":"compare","left":1,"relation":"=","right":1}]})";
  CHECK_THROWS_WITH(collected(files), Catch::Contains("asks for sim_alignment"));
}

TEST_CASE("claims in both folders, a reference that is missing or too large") {
  auto files = files_with(both_types);
  files["proof_hooks/claims.json"] = test::claims_text;
  CHECK_THROWS_WITH(collected(files), Catch::Contains("both"));
  files = files_with(both_types);
  files.erase("simulation/reference.json");
  CHECK_THROWS_WITH(collected(files), Catch::Contains("no file simulation/reference.json"));
  files["simulation/reference.json"] = std::string(max_reference_bytes + 1, ' ');
  CHECK_THROWS_WITH(collected(files), Catch::Contains("larger than"));
}

namespace {

/// A store with something that a bundle can be attached to, and a proven run of a capsule.
struct Published {
  Published() {
    ViewSource empty{as_bytes("{}")};
    store->put_blob(crypto::sha256("{}"), 2, empty);
    ViewSource content{as_bytes(record)};
    store->put_blob(crypto::sha256(record), record.size(), content);
    const std::string config = R"({"mediaType":"application/vnd.oci.empty.v1+json","digest":")" +
                               crypto::sha256("{}").text() + R"(","size":2})";
    index = store->put_manifest(oci::media_type::image_manifest,
                                R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
                                R"("artifactType":"application/x","config":)" +
                                    config + R"(,"layers":[)" + config + "]}",
                                "1.0.0");
  }

  [[nodiscard]] Digest attach(const crypto::Signer& by, const std::string& proof_id, const std::string& run_record,
                              const std::vector<json::Value>& evidence) {
    const Bundle bundle{
        .capsule = facts.capsule_digest,
        .version_index = index->digest,
        .run_record = crypto::sha256(run_record),
        .proof_id = proof_id,
        .proof_hash = proof_hash(facts.capsule_digest, *facts.claims_digest, crypto::sha256(run_record)),
        .utid = "UTID:x",
        .policy = facts.policy,
        .evidence = json::Array{evidence.begin(), evidence.end()},
        .service = json::Object{},
        .replay = json::Object{}};
    return publish_proof(*store, *index, run_record, sign_bundle(bundle, by), proof_id);
  }
  [[nodiscard]] std::vector<json::Value> evidence() const { return {run.mathematical(), run.alignment()}; }

  std::unique_ptr<crypto::Signer> signer(const std::string& name) {
    const auto pair = crypto::generate_key(crypto::KeyType::ed25519);
    const auto path = folder.path() / name;
    fs::write_file(path, pair.private_pem.reveal(), 0600);
    return crypto::open_signer(path.string(), std::nullopt);
  }
  static attest::TrustPolicy trust(const std::vector<const crypto::Signer*>& signers, unsigned threshold,
                                   const std::string& revoked = "", const std::string& max_age = "") {
    std::string text = "version: 1\nproof:\n  - threshold: " + std::to_string(threshold) + "\n";
    if (!max_age.empty()) text += "    max_age: " + max_age + "\n";
    text += "    keys:\n";
    for (const auto* signer : signers) {
      text += "      - |\n";
      std::istringstream pem{signer->public_key().to_pem()};
      for (std::string line; std::getline(pem, line);) text += "        " + line + "\n";
    }
    if (!revoked.empty()) text += "revoked: ['" + revoked + "']\n";
    return attest::TrustPolicy::parse(text, "trust", ".");
  }

  fs::TemporaryFolder folder{fs::temporary_parent()};
  std::unique_ptr<oci::Store> store =
      oci::open_store(oci::RegistryLocation::parse("oci-layout:" + folder.path().string()), "probe", oci::Create::yes);
  test::ProvenRun run;
  CapsuleFacts facts{.name = "probe",
                     .version = "1.0.0",
                     .capsule_digest = crypto::sha256("capsule"),
                     .policy = {.required = true, .types = {"mathematical_proof"}, .anchors = {}},
                     .claims_path = "proof-hooks/claims.json",
                     .claims = run.claims,
                     .claims_digest = crypto::sha256(test::claims_text),
                     .files = run.files};
  std::string record = [this] {
    auto value = run.record;
    value.if_object()->set(
        "capsule",
        json::Object{{"name", facts.name}, {"version", facts.version}, {"digest", facts.capsule_digest.text()}});
    value.if_object()->set("finished_at", format_time(now() - std::chrono::hours{1}));
    return json::compact(value);
  }();
  std::optional<oci::Descriptor> index;
};

}  // namespace

TEST_CASE("a published proof is found by its run, and checked by its digest") {
  Published p;
  const auto alice = p.signer("alice");
  const auto mallory = p.signer("mallory");
  const auto run = crypto::sha256(p.record);
  const std::vector keys{alice->public_key()};
  const auto trust = Published::trust({alice.get()}, 1);
  CHECK_FALSE(has_bundles(*p.store, p.index->digest, run));
  CHECK_FALSE(find_proof(*p.store, p.index->digest, run, p.facts, keys, trust));

  // A stranger's bundle, one whose evidence is gone, one of another run: none of them hides the good one.
  const auto forged = p.attach(*mallory, "proof_00000001", p.record, p.evidence());
  const auto empty = p.attach(*alice, "proof_00000002", p.record, {});
  static_cast<void>(p.attach(*alice, "proof_00000003", "another run", p.evidence()));
  CHECK(has_bundles(*p.store, p.index->digest, run));
  CHECK_FALSE(find_proof(*p.store, p.index->digest, run, p.facts, keys, trust));
  const auto good = p.attach(*alice, "proof_00000004", p.record, p.evidence());
  const auto found = find_proof(*p.store, p.index->digest, run, p.facts, keys, trust);
  REQUIRE(found);
  CHECK(found->digest == good);
  CHECK(found->bundle.proof_id == "proof_00000004");

  CHECK(check_published_proof(*p.store, p.index->digest, good, p.facts, trust).results.size() == 3);
  CHECK_THROWS_AS(check_published_proof(*p.store, p.index->digest, forged, p.facts, trust), Error);
  CHECK_THROWS_WITH(check_published_proof(*p.store, p.index->digest, empty, p.facts, trust),
                    Catch::Contains("nothing proves"));
  CHECK_THROWS_AS(check_published_proof(*p.store, p.index->digest, crypto::sha256("nothing"), p.facts, trust), Error);
}

TEST_CASE("a proof of a run that ended longer ago than the policy allows is refused, whatever it proves") {
  Published p;
  const auto alice = p.signer("alice");
  const auto proof = p.attach(*alice, "proof_00000001", p.record, p.evidence());
  const auto young = Published::trust({alice.get()}, 1, "", "30m");
  CHECK_THROWS_WITH(check_published_proof(*p.store, p.index->digest, proof, p.facts, young),
                    Catch::Contains("has expired"));
  const auto old = Published::trust({alice.get()}, 1, "", "2h");
  CHECK(check_published_proof(*p.store, p.index->digest, proof, p.facts, old).results.size() == 3);
}

TEST_CASE("a policy that asks for two keys needs two bundles about the run") {
  Published p;
  const auto alice = p.signer("alice");
  const auto bob = p.signer("bob");
  const auto run = crypto::sha256(p.record);
  const auto trust = Published::trust({alice.get(), bob.get()}, 2);
  const auto first = p.attach(*alice, "proof_00000001", p.record, p.evidence());
  static_cast<void>(p.attach(*bob, "proof_00000002", "another run", p.evidence()));
  CHECK_THROWS_WITH(check_published_proof(*p.store, p.index->digest, first, p.facts, trust),
                    Catch::Contains("1 of the 2 signatures"));
  const auto second = p.attach(*bob, "proof_00000003", p.record, p.evidence());
  CHECK(check_published_proof(*p.store, p.index->digest, first, p.facts, trust).signers == 2);

  const auto revoking = Published::trust({alice.get(), bob.get()}, 2, second.text());
  CHECK_THROWS_WITH(check_published_proof(*p.store, p.index->digest, first, p.facts, revoking),
                    Catch::Contains("1 of the 2 signatures hold that the trust policy wants over a proof of probe"));
  const std::vector bobs{bob->public_key()};
  CHECK(find_proof(*p.store, p.index->digest, run, p.facts, bobs, trust));
  CHECK_FALSE(find_proof(*p.store, p.index->digest, run, p.facts, bobs, revoking));
}

TEST_CASE("a proof is found however many other runs of the version are proven") {
  Published p;
  const auto alice = p.signer("alice");
  const std::vector keys{alice->public_key()};
  const auto trust = Published::trust({alice.get()}, 1);
  const auto other = [&](int number) {
    static_cast<void>(p.attach(*alice, "proof_00000002", std::to_string(number), {}));
  };
  constexpr auto many = static_cast<int>(oci::Store::max_referrers);
  for (int i = 0; i < many; ++i) other(i);
  const auto good = p.attach(*alice, "proof_00000001", p.record, p.evidence());
  for (int i = many; i < 2 * many; ++i) other(i);

  const auto found = find_proof(*p.store, p.index->digest, crypto::sha256(p.record), p.facts, keys, trust);
  REQUIRE(found);
  CHECK(found->digest == good);
}

TEST_CASE("a proof of a revoked run record or version index is none") {
  Published p;
  const auto alice = p.signer("alice");
  const auto run = crypto::sha256(p.record);
  const std::vector keys{alice->public_key()};
  const auto good = p.attach(*alice, "proof_00000001", p.record, p.evidence());
  for (const auto& revoked : {run, p.index->digest, good}) {
    const auto trust = Published::trust({alice.get()}, 1, revoked.text());
    CHECK_FALSE(find_proof(*p.store, p.index->digest, run, p.facts, keys, trust));
    CHECK_THROWS_WITH(check_published_proof(*p.store, p.index->digest, good, p.facts, trust),
                      Catch::Contains(revoked.text() + " is revoked"));
    CHECK_THROWS_WITH(check_given_proof(oci::read_text(*p.store, good, 1 << 20), p.index->digest, p.facts, trust,
                                        record_reader(*p.store)),
                      Catch::Contains(revoked.text() + " is revoked"));
  }
}
