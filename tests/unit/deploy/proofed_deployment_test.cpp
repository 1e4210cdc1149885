#include "deploy/proofed_deployment.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

using namespace capsule;
using namespace capsule::deploy;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");
const Digest record_digest = crypto::sha256("record");

Manifest manifest(bool proof_required, const std::string& version = "1.0.0") {
  return parse_manifest(R"({"name":"x","version":")" + version +
                        R"(","entrypoint":"run.py","requirements":["utid:soft"],"proof_policy":{"required":)" +
                        (proof_required ? "true" : "false") + R"(,"types":["mathematical_proof"]},"prewarm":true})");
}

ProofOfRun proof() {
  return {
      capsule_digest, record_digest, "proof_01234567", crypto::sha256("bundle"), {{"log:local", crypto::sha256("r")}}};
}

/// An object below a folder of its own, as the file says it.
struct Deployed {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  fs::Path file = folder.path() / "proofeddeployment.json";
  ProofedDeployment object{file};

  void begin(const Manifest& wanted, const std::string& run_id = "0123456789abcdef") {
    object.begin(wanted, capsule_digest, "oci-layout:/r/x@sha256:0", run_id);
  }
  [[nodiscard]] json::Value now() const { return json::parse(fs::read_file(file, 1U << 20U), "object"); }
  [[nodiscard]] std::string text(std::string_view pointer) const {
    const auto value = now();
    const auto* found = value.at_pointer(pointer);
    if (found == nullptr) return "absent";
    if (found->if_number() != nullptr) return found->if_number()->text;
    return found->if_string() == nullptr ? std::string{found->type_name()} : *found->if_string();
  }
  [[nodiscard]] std::string phase() const { return text("/status/phase"); }
  /// "True: Reason"
  [[nodiscard]] std::string condition(std::string_view type) const {
    const auto value = now();
    std::string found = "absent";
    for (const auto& one : *value.at_pointer("/status/conditions")->if_array()) {
      if (*one.at_pointer("/type")->if_string() != type) continue;
      CHECK(found == "absent");
      found = *one.at_pointer("/status")->if_string() + ": " + *one.at_pointer("/reason")->if_string();
    }
    return found;
  }
};

}  // namespace

TEST_CASE("the object goes from Pending through Warm, Running and Ran to Proved") {
  Deployed deployed;
  deployed.begin(manifest(true));
  CHECK(deployed.phase() == "Pending");
  CHECK(deployed.text("/kind") == "ProofedDeployment");
  CHECK(deployed.text("/spec/utidBinding/type") == "soft");
  CHECK(deployed.condition("Proved") == "False: ProofPending");
  deployed.object.warm(1, {});
  CHECK(deployed.phase() == "Warm");
  CHECK(deployed.text("/status/warmReplicas") == "1");
  CHECK(deployed.condition("Warm") == "True: ProcessesWait");
  deployed.object.running();
  CHECK(deployed.phase() == "Running");
  deployed.object.refilled(0);
  deployed.object.ran(record_digest, "warm");
  CHECK(deployed.phase() == "Ran");
  CHECK(deployed.condition("Ran") == "True: Succeeded");
  CHECK(deployed.condition("Ready") == "False: ProofPending");
  CHECK(deployed.text("/status/lastRun/start") == "warm");
  CHECK(deployed.object.proved(proof()));
  CHECK(deployed.phase() == "Proved");
  CHECK(deployed.condition("Proved") == "True: ProofVerified");
  CHECK(deployed.condition("Ready") == "True: Proved");
  CHECK(deployed.text("/status/proofId") == "proof_01234567");
  CHECK(deployed.text("/status/anchors/0/chain") == "log:local");
}

TEST_CASE("what was proved already is not written again") {
  Deployed deployed;
  deployed.begin(manifest(true));
  deployed.object.ran(record_digest, "cold");
  CHECK(deployed.object.proved(proof()));
  const auto before = std::filesystem::last_write_time(deployed.file);
  CHECK(deployed.object.proved(proof()));
  CHECK(std::filesystem::last_write_time(deployed.file) == before);
}

TEST_CASE("the proof of another run or capsule, or of nothing, is not this deployment's") {
  Deployed deployed;
  CHECK_FALSE(deployed.object.proved(proof()));
  CHECK_FALSE(std::filesystem::exists(deployed.file));
  deployed.begin(manifest(true));
  CHECK_FALSE(deployed.object.proved(proof()));  // no run yet
  deployed.object.ran(record_digest, "cold");
  auto other = proof();
  other.run_record = crypto::sha256("another");
  CHECK_FALSE(deployed.object.proved(other));
  other = proof();
  other.capsule = crypto::sha256("another");
  CHECK_FALSE(deployed.object.proved(other));
  CHECK(deployed.phase() == "Ran");
}

TEST_CASE("a new run waits for a proof of its own; another spec is another generation") {
  Deployed deployed;
  deployed.begin(manifest(true));
  deployed.object.ran(record_digest, "cold");
  CHECK(deployed.object.proved(proof()));
  deployed.begin(manifest(true), "fedcba9876543210");
  CHECK(deployed.phase() == "Pending");
  CHECK(deployed.text("/metadata/generation") == "1");
  CHECK(deployed.text("/status/proofId") == "absent");
  CHECK(deployed.condition("Proved") == "False: ProofPending");
  deployed.begin(manifest(true, "1.1.0"));
  CHECK(deployed.text("/metadata/generation") == "2");
  CHECK(deployed.text("/status/observedGeneration") == "2");
}

TEST_CASE("a failure is a phase, stalled where a retry does not help; without a required proof a run is enough") {
  Deployed deployed;
  deployed.begin(manifest(false));
  deployed.object.failed(Error{ErrorKind::capsule_failed, "the capsule's run failed"});
  CHECK(deployed.phase() == "Failed");
  CHECK(deployed.condition("Stalled") == "True: Failed");
  deployed.object.failed(Error{ErrorKind::timed_out, "too slow"});
  CHECK(deployed.condition("Stalled") == "False: Failed");
  deployed.begin(manifest(false));
  CHECK(deployed.condition("Stalled") == "False: Progressing");
  deployed.object.warm(0, "no ready line");
  CHECK(deployed.phase() == "Pending");
  CHECK(deployed.condition("Warm") == "False: NoneWaits");
  deployed.object.running();
  deployed.object.ran(record_digest, "cold");
  CHECK(deployed.phase() == "Ran");
  CHECK(deployed.condition("Ready") == "True: Ran");
  CHECK(deployed.condition("Proved") == "False: NotRequired");
}

TEST_CASE("a condition keeps the time of its last change") {
  Deployed deployed;
  deployed.begin(manifest(true));
  deployed.object.warm(1, {});
  const auto before = deployed.now();
  ::usleep(5000);
  deployed.object.warm(2, {});
  const auto after = deployed.now();
  for (const auto* value : {&before, &after}) CHECK(value->at_pointer("/status/conditions")->if_array()->size() == 5);
  CHECK(*before.at_pointer("/status/conditions/4/lastTransitionTime") ==
        *after.at_pointer("/status/conditions/4/lastTransitionTime"));
  deployed.object.pool_ended();
  CHECK(deployed.condition("Warm") == "False: Deleted");
  CHECK(*before.at_pointer("/status/conditions/4/lastTransitionTime")->if_string() !=
        deployed.text("/status/conditions/4/lastTransitionTime"));
  CHECK(deployed.text("/status/warmReplicas") == "0");
}

TEST_CASE("a damaged report is begun anew and blocks nothing") {
  for (const std::string damaged :
       {"", "{", "[]", "null", R"({"metadata":{"generation":-1.5},"status":3})", R"({"metadata":{"generation":1e300}})",
        R"({"metadata":[],"spec":[],"status":{"conditions":[1,{"type":2}]}})"}) {
    CAPTURE(damaged);
    const Deployed deployed;
    fs::write_file(deployed.file, damaged);
    auto object = ProofedDeployment{deployed.file};
    object.pool_ended();
    CHECK_FALSE(object.proved(proof()));
    object.begin(manifest(false), capsule_digest, "oci-layout:/r/x@sha256:0", "0123456789abcdef");
    object.ran(record_digest, "cold");
    CHECK(deployed.phase() == "Ran");
    CHECK(deployed.text("/metadata/generation") == "1");
  }
}

TEST_CASE("a proved object without its anchors is told of them again") {
  Deployed deployed;
  deployed.begin(manifest(true));
  deployed.object.ran(record_digest, "cold");
  CHECK(deployed.object.proved(proof()));
  auto value = deployed.now();
  value.if_object()->find("status")->if_object()->erase("anchors");
  fs::write_file(deployed.file, json::compact(value));
  CHECK(deployed.object.proved(proof()));
  CHECK(deployed.text("/status/anchors") == "an array");
}
