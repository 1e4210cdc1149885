#include "deploy/recorded_runs.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "empty_version.hpp"
#include "json/write.hpp"

using namespace capsule;

namespace {

const Digest capsule_digest = crypto::sha256("capsule");

deploy::RunRequest request(std::uint64_t seed, std::uint64_t ordinal = 1) {
  return {capsule_digest, "kubernetes:u", json::Object{{"n", 1}}, seed, 0, ordinal};
}

/// What run_record() writes of it, as far as it is read.
json::Object record_of(const deploy::RunRequest& run) {
  return {{"capsule", json::Object{{"digest", run.capsule_digest.text()}}},
          {"run_id", run.run_id()},
          {"target", run.target},
          {"parameters", run.parameters},
          {"seed", run.seed},
          {"budget", run.budget},
          {"ordinal", run.ordinal},
          {"finished_at", "2026-11-30T03:00:00.000Z"}};
}

}  // namespace

TEST_CASE("the runs on record that answer a wish are found without knowing their names") {
  const test::EmptyVersion version;
  const auto attach = [&](const json::Object& record) {
    return deploy::attach_run_record(*version.store, version.index, json::canonical(record));
  };
  const deploy::RunWish wish{capsule_digest, "kubernetes:u", json::Object{{"n", 1}}, 0, {}};
  CHECK(deploy::recorded_runs(*version.store, version.index.digest, wish).empty());

  const auto mine = attach(record_of(request(7, 2)));
  auto elsewhere = request(7);
  elsewhere.target = "kubernetes:v";
  attach(record_of(elsewhere));
  auto dearer = request(7);
  dearer.budget = 1;
  attach(record_of(dearer));
  auto other = request(7);
  other.parameters = json::Object{{"n", 2}};
  attach(record_of(other));
  auto forged = record_of(request(8));
  forged.set("run_id", "0123456789abcdef");
  attach(forged);
  attach({{"run_id", "fedcba9876543210"}});

  const auto found = deploy::recorded_runs(*version.store, version.index.digest, wish);
  REQUIRE(found.size() == 1);
  CHECK(found.front().record == mine);
  CHECK(found.front().request.run_id() == request(7, 2).run_id());
  CHECK(format_time(found.front().finished_at) == "2026-11-30T03:00:00.000Z");

  auto seeded = wish;
  seeded.seed = 8;
  CHECK(deploy::recorded_runs(*version.store, version.index.digest, seeded).empty());
  seeded.seed = 7;
  CHECK(deploy::recorded_runs(*version.store, version.index.digest, seeded).size() == 1);
}
