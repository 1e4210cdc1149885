#include "cluster/status_check.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"
#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");
const Digest record = crypto::sha256("record");

/// A deployment whose run is done, and proved where that is wanted.
struct Ran {
  RunBook runs;
  deploy::RunWish wish{capsule_digest, "kubernetes:u", json::Object{}, 0, {}};
  deploy::LedgerEntry entry = runs.begin(wish);
  json::Object object{{"metadata", json::Object{{"generation", 2}}},
                      {"spec", json::Object{{"capsule", json::Object{{"digest", capsule_digest.text()}}},
                                            {"proofPolicy", json::Object{{"required", true}}}}}};

  Ran() {
    entry.record = record;
    runs.finish(wish, entry);
    set_manager("capsule-loop", R"({"f:phase":{},"f:proofId":{},"f:proofDigest":{}})");
    deploy::set_pending(object, entry.request.run_id());
    deploy::set_ran(object, record, "warm");
  }
  void prove() { deploy::set_proved(object, {capsule_digest, record, "proof_1", crypto::sha256("bundle"), {}}); }
  void set_manager(const std::string& name, const std::string& of_status) {
    auto& metadata = deploy::member(object, "metadata");
    if (metadata.find("managedFields") == nullptr) metadata.set("managedFields", json::Array{});
    metadata.find("managedFields")
        ->if_array()
        ->push_back(json::parse(R"({"subresource":"status","operation":"Update","manager":")" + name +
                                    R"(","fieldsV1":{"f:status":)" + of_status + "}}",
                                "manager"));
  }
  json::Object& status() { return deploy::member(object, "status"); }
  [[nodiscard]] std::string fault() const { return fault_of(entry); }
  [[nodiscard]] std::string fault_of(const deploy::LedgerEntry& run) const {
    return fault_of_status(json::Value{object}, runs, run.request.run_id());
  }
};

}  // namespace

TEST_CASE("the status of a run that is on record is so, proved or not, and is none of another run") {
  Ran ran;
  CHECK(ran.fault().empty());
  ran.prove();
  CHECK(ran.fault().empty());
  ran.wish.parameters = json::Object{{"n", 2}};
  const auto other = ran.runs.begin(ran.wish);
  deploy::set_pending(ran.object, other.request.run_id());
  deploy::set_failed(ran.object, Error{ErrorKind::capsule_failed, "no"});
  CHECK(ran.fault_of(other).empty());
  CHECK(ran.fault() == "its status is of another run");
}

TEST_CASE("a status that was lost, damaged or made up is found, and made again of the run's record") {
  const std::vector<std::function<void(Ran&)>> damages{
      [](Ran& ran) { ran.object.erase("status"); },
      [](Ran& ran) { ran.status().erase("lastRun"); },
      [](Ran& ran) { ran.status().erase("phase"); },
      [](Ran& ran) { deploy::member(ran.status(), "lastRun").set("runId", "0123456789abcdef"); },
      [](Ran& ran) { deploy::member(ran.status(), "lastRun").set("record", capsule_digest.text()); },
      [](Ran& ran) { ran.status().set("conditions", json::Array{}); },
      [](Ran& ran) {
        ran.status().set("phase", "Proved");
        ran.status().set("proofId", "FAKE");
      },
      [](Ran& ran) {
        deploy::set_condition(ran.object, {"Proved", true, "ProofVerified"});
      },
      [](Ran& ran) {
        ran.prove();
        ran.status().set("phase", "Ran");
      },
      [](Ran& ran) { ran.status().set("phase", "Running"); },
      [](Ran& ran) {
        ran.prove();
        auto& metadata = deploy::member(ran.object, "metadata");
        metadata.erase("managedFields");
        ran.set_manager("kubectl-patch", R"({"f:proofId":{}})");
      },
      [](Ran& ran) {
        deploy::set_failed(ran.object, Error{ErrorKind::timed_out, "no pod"});
      }};
  for (std::size_t i = 0; i < damages.size(); ++i) {
    INFO(i);
    Ran ran;
    damages[i](ran);
    CHECK_FALSE(ran.fault().empty());
    deploy::set_ran_before(ran.object, {ran.entry.request.run_id(), record, "warm", "node-1", "2026-11-29T12:00:00Z"});
    CHECK(ran.fault().empty());
    const json::Value value{ran.object};
    CHECK(text_at(value, "/status/lastRun/time") == "2026-11-29T12:00:00Z");
    CHECK(text_at(value, "/status/phase") == "Ran");
    CHECK_FALSE(is_proved(value));
  }
}

TEST_CASE("a status that is of an earlier generation is seen, and is of the one that was applied afterwards") {
  Ran ran;
  CHECK_FALSE(is_unobserved(json::Value{ran.object}));
  deploy::set_condition(ran.object, {"RolloutFailed", false, "RolledOut"});
  deploy::member(ran.object, "metadata").set("generation", 3);
  CHECK(is_unobserved(json::Value{ran.object}));
  set_seen(ran.object, json::Value{ran.object});
  CHECK_FALSE(is_unobserved(json::Value{ran.object}));
  const json::Value seen{ran.object};
  for (const auto& condition : array_at(seen, "/status/conditions"))
    CHECK(*condition.at_pointer("/observedGeneration") == json::Value{3});
  // Where the status is no subresource, each write of it is a generation more.
  deploy::member(ran.object, "metadata").set("generation", 4);
  deploy::member(ran.object, "metadata").erase("managedFields");
  CHECK_FALSE(is_unobserved(json::Value{ran.object}));
}
