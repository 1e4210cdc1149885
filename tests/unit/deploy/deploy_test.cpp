#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "deploy/capability.hpp"
#include "deploy/run_ledger.hpp"
#include "deploy/run_parameters.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::deploy;

namespace {

Manifest manifest_with(const std::string& requirements) {
  return parse_manifest(
      R"({"name":"x","version":"1.0.0","entrypoint":"run.py","requirements":)" + requirements +
      R"(,"proof_policy":{"required":false,"types":[]},"prewarm":false,"billing":{"unit":"run","price":5.00}})");
}

Host plain_host() {
  return {"host", "0123456789abcdef", "amd64", std::uint64_t{8} << 30U, {}, {}};
}

RunWish wish() {
  return {crypto::sha256("capsule"), "this-machine:0123", json::Object{{"a", 1}}, 100, {}};
}

}  // namespace

TEST_CASE("requirements are held against the host, and every unmet one is listed") {
  const auto manifest = manifest_with(R"(["gpu:true","utid:hardware-bound","arch:amd64"])");
  const auto report = check_capabilities(manifest, plain_host(), {});
  CHECK(report.met == std::vector<std::string>{"arch:amd64"});
  CHECK(report.unmet.size() == 2);
  try {
    report.require_all_met();
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::unmet_requirement);
    CHECK(error.message().find("gpu:true") != std::string::npos);
    CHECK(error.message().find("utid:hardware-bound") != std::string::npos);
  }
}

TEST_CASE("what is waived is recorded as waived, never as met") {
  const auto manifest = manifest_with(R"(["gpu:2","utid:soft"])");
  auto host = plain_host();
  host.gpus = {"/dev/nvidia0"};
  const auto report = check_capabilities(manifest, host, {"gpu:2"});
  CHECK(report.waived == std::vector<std::string>{"gpu:2"});
  CHECK(report.met == std::vector<std::string>{"utid:soft"});
  CHECK_NOTHROW(report.require_all_met());
  CHECK(check_capabilities(manifest, host, {}).unmet.front().reason == "2 wanted, 1 there");
  CHECK_THROWS_AS(check_capabilities(manifest, host, {"gpu:true"}), Error);
}

TEST_CASE("a hardware-bound UTID takes a certificate, and the reason says what is wrong with the one that is there") {
  const auto manifest = manifest_with(R"(["utid:hardware-bound"])");
  auto host = plain_host();
  host.identity = {HostIdentity::Binding::soft, "UTID:x", "this machine made it for itself"};
  const auto report = check_capabilities(manifest, host, {});
  REQUIRE(report.unmet.size() == 1);
  CHECK(report.unmet.front().reason.find("this machine made it for itself") != std::string::npos);
  CHECK(check_capabilities(manifest_with(R"(["utid:soft"])"), host, {}).unmet.empty());
  host.identity = {HostIdentity::Binding::certified, "UTID:x", {}};
  CHECK(check_capabilities(manifest, host, {}).unmet.empty());
}

TEST_CASE("memory and processors that a manifest asks for are held against the machine, and can be waived by name") {
  const auto manifest = parse_manifest(
      R"({"name":"x","version":"1.0.0","entrypoint":"run.py","resources":{"memory":"16Gi","cpu":"2500m"}})");
  auto host = plain_host();
  host.processors = 2;
  const auto report = check_capabilities(manifest, host, {"cpu:2500m"});
  REQUIRE(report.unmet.size() == 1);
  CHECK(report.unmet.front().requirement == "memory:16Gi");
  CHECK(report.waived == std::vector<std::string>{"cpu:2500m"});
  host.processors = 3;
  host.memory_bytes = std::uint64_t{16} << 30U;
  CHECK(check_capabilities(manifest, host, {}).unmet.empty());
}

TEST_CASE("GPUs are the device files that their drivers show") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const DriverFolders drivers{folder.path() / "dev", folder.path() / "sys"};
  CHECK(find_gpus(drivers).empty());
  CHECK_FALSE(find_gpu_memory(drivers).has_value());
  const auto put = [&](const fs::Path& file, const std::string& text = {}) {
    std::filesystem::create_directories(file.parent_path());
    fs::write_file(file, text);
  };
  for (const auto* name : {"nvidiactl", "nvidia-uvm", "nvidia", "nvidia1x", "dri/renderD128", "dri/card0"})
    put(drivers.dev / name);
  CHECK(find_gpus(drivers).empty());  // a display, and the drivers' own nodes, are no GPUs to compute on
  put(drivers.dev / "nvidia0");
  put(drivers.dev / "nvidia1");
  CHECK(find_gpus(drivers) ==
        std::vector<std::string>{(drivers.dev / "nvidia0").string(), (drivers.dev / "nvidia1").string()});
  put(drivers.dev / "kfd");
  CHECK(find_gpus(drivers).size() == 3);
  put(drivers.sys / "class/drm/card0/device/mem_info_vram_total", "17163091968\n");
  put(drivers.sys / "class/drm/card1/device/mem_info_vram_total", "8589934592\n");
  put(drivers.sys / "class/drm/card2/device/mem_info_vram_total", "none\n");
  CHECK(find_gpu_memory(drivers) == 8589934592U);
}

TEST_CASE("a run keeps its seed and its number, whatever is retried") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  RunLedger ledger{folder.path() / "runs"};
  const auto first = ledger.begin(wish(), NewRun::no);
  CHECK(first.request.seed < (std::uint64_t{1} << 53U));
  CHECK_FALSE(first.record.has_value());
  auto again = RunLedger{folder.path() / "runs"}.begin(wish(), NewRun::no);
  CHECK(again.request.run_id() == first.request.run_id());
  CHECK(again.request.seed == first.request.seed);
  again.text = "record";
  ledger.keep(again);
  CHECK(RunLedger{folder.path() / "runs"}.begin(wish(), NewRun::no).text == "record");
  again.record = crypto::sha256("record");
  ledger.finish(wish(), again);
  CHECK(ledger.begin(wish(), NewRun::no).text == "record");
  CHECK(ledger.begin(wish(), NewRun::no).record == again.record);
  auto seeded = wish();
  seeded.seed = again.request.seed;
  CHECK(ledger.begin(seeded, NewRun::no).text == "record");  // the same run, whoever chose the seed
  const auto next = ledger.begin(wish(), NewRun::yes);
  CHECK(next.request.ordinal == 2);
  CHECK(next.request.run_id() != first.request.run_id());
  CHECK_FALSE(next.record.has_value());
  auto other = wish();
  other.parameters = json::Object{{"a", 2}};
  CHECK(ledger.begin(other, NewRun::no).request.ordinal == 1);
}

TEST_CASE("another budget is another run") {
  auto request = RunRequest{crypto::sha256("c"), "this-machine:1", json::Object{}, 7, 10, 1};
  const auto one = request.run_id();
  request.budget = 11;
  CHECK(request.run_id() != one);
}

TEST_CASE("a ledger that says another seed than is asked for is no ledger of that run") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  RunLedger ledger{folder.path()};
  auto wanted = wish();
  wanted.seed = 7;
  static_cast<void>(ledger.begin(wanted, NewRun::no));
  const auto file = std::filesystem::directory_iterator {
    folder.path()
    } -> path();
  fs::write_file(file, R"({"ordinal":1,"seed":8})");
  CHECK_THROWS_AS(ledger.begin(wanted, NewRun::no), Error);
  CHECK(ledger.begin(wanted, NewRun::yes).request.seed == 7);
}

TEST_CASE("the output digest leaves out what differs from run to run") {
  const auto one = json::parse(R"({"score":0.5,"measured":{"seconds":1}})", "result");
  const auto two = json::parse(R"({"measured":{"seconds":2},"score":0.5})", "result");
  CHECK(output_digest(one) == output_digest(two));
  CHECK(output_digest(one) != output_digest(json::parse(R"({"score":0.6})", "result")));
}

TEST_CASE("a run record is billed once, in decimal text, and is canonical") {
  const RunRequest request{crypto::sha256("c"), "this-machine:1", json::Object{}, 7, 10, 1};
  const RunFacts facts{parse_time("2026-01-01T00:00:00Z"),
                       parse_time("2026-01-01T00:00:02.5Z"),
                       2400,
                       0,
                       json::Object{{"score", 0.5}},
                       1200,
                       5,
                       30.0,
                       true,
                       crypto::sha256("log")};
  const auto text = run_record(manifest_with("[]"), request, facts, {"host", {}, {}, {"gpu:true"}});
  const auto record = json::parse(text, "record");
  CHECK(*record.at_pointer("/billing/amount")->if_string() == "5.00");
  CHECK(record.at_pointer("/duration_ms")->if_number()->text == "2500");
  CHECK(record.at_pointer("/result_ms")->if_number()->text == "2400");
  CHECK(*record.at_pointer("/waived/0")->if_string() == "gpu:true");
  CHECK(record.at_pointer("/run_id")->if_string()->size() == 16);

  auto large = facts;
  json::Array numbers;  // each written with 22 characters, the longest way that RFC 8785 has
  for (int i = 0; i < 800'000; ++i) numbers.emplace_back(1e20);
  large.result = json::Object{{"numbers", std::move(numbers)}};
  CHECK_THROWS_WITH(run_record(manifest_with("[]"), request, large, {"host", {}, {}, {"gpu:true"}}),
                    Catch::Contains("at most 16.0 MiB are taken"));
}

TEST_CASE("a run is given what the manifest declares, within its bounds") {
  const auto manifest = parse_manifest(
      R"({"name":"x","version":"1.0.0","entrypoint":"run.py","parameters":{"rate":{"type":"number","default":0.5,"min":0,"max":1},)"
      R"("count":{"type":"integer","default":3},"name":{"type":"string","default":"a"}}})");
  const auto with = [&](std::string_view text) { check_parameters(manifest, json::parse(text, "parameters")); };
  CHECK_NOTHROW(with("{}"));
  CHECK_NOTHROW(with(R"({"rate":1,"count":4,"name":"b"})"));
  for (const std::string bad : {R"({"rate":1.1})", R"({"rate":-0.1})", R"({"rate":"a"})", R"({"count":1.5})",
                                R"({"name":1})", R"({"other":1})"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(with(bad), Error);
  }
  CHECK_NOTHROW(check_parameters(manifest_with("[]"), json::parse(R"({"anything":1})", "parameters")));
}
