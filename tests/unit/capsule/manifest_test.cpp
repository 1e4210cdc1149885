#include "capsule/manifest.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "capsule/quantity.hpp"
#include "core/error.hpp"

using namespace capsule;  // NOLINT

namespace {

/// The manifest of the specification, word for word.
const std::string specified = R"({
  "name":"m2n2-metal",
  "version":"0.1.0",
  "entrypoint":"expansion/m2n2/runner.py",
  "requirements":[ "gpu:true", "utid:hardware-bound" ],
  "proof_policy":{"required": true, "types":["mathematical_proof","sim_alignment"]},
  "prewarm":true,
  "billing":{"unit":"run","price":5.00}
})";

std::string with(std::string_view members) {
  return fmt::format(R"({{"name":"n","version":"1.0.0","entrypoint":"e"{}{}}})", members.empty() ? "" : ",", members);
}

std::string refusal(std::string_view text) {
  try {
    parse_manifest(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    CHECK(error.message().starts_with("capsule.json: "));
    return error.message();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("the manifest of the specification is valid as it stands") {
  const auto manifest = parse_manifest(specified);
  CHECK(manifest.name == "m2n2-metal");
  CHECK(manifest.version == "0.1.0");
  CHECK(manifest.entrypoint == "expansion/m2n2/runner.py");
  REQUIRE(manifest.requirements.size() == 2);
  CHECK(manifest.requirements[0].kind == Requirement::Kind::gpu);
  CHECK(manifest.requirements[0].amount == 1);
  CHECK(manifest.requirements[0].text == "gpu:true");
  CHECK(manifest.requirements[1].word == "hardware-bound");
  CHECK(manifest.proof_policy.required);
  CHECK(manifest.proof_policy.types == std::vector<std::string>{"mathematical_proof", "sim_alignment"});
  CHECK(manifest.prewarm_replicas == 1);
  REQUIRE(manifest.billing);
  CHECK(manifest.billing->price == "5.00");
  CHECK(manifest.architecture() == "amd64");
  CHECK(package_file_name(manifest) == "capsule_m2n2-metal-0.1.0.tar.gz");
}

TEST_CASE("every optional field is read") {
  const auto manifest = parse_manifest(with(R"(
    "requirements":["gpu:2","gpu-memory:16Gi","utid:soft","arch:arm64"],
    "proof_policy":{"required":false,"anchors":["evm:1","rfc3161:freetsa","log:local"]},
    "prewarm":{"replicas":3},"billing":{"unit":"hour","price":"0.5"},"description":"what it is",
    "resources":{"cpu":"500m","memory":"1.5Gi"},
    "parameters":{"rate":{"type":"number","default":0.5,"min":0,"max":1},"n":{"type":"integer","default":3},
                  "mode":{"type":"string","default":"fast"},"on":{"type":"boolean","default":true}},
    "annotations":{"a":"b"})"));
  CHECK(manifest.requirements[0].amount == 2);
  CHECK(manifest.requirements[1].amount == std::uint64_t{16} << 30U);
  CHECK(manifest.architecture() == "arm64");
  CHECK(manifest.proof_policy.anchors.size() == 3);
  CHECK(manifest.prewarm_replicas == 3);
  CHECK(manifest.billing->price == "0.5");
  CHECK(manifest.resources.at("memory") == "1.5Gi");
  CHECK(manifest.memory_bytes() == std::uint64_t{3} << 29U);
  CHECK(manifest.parameters.at("rate").max == 1.0);
  CHECK(manifest.annotations.at("a") == "b");
}

TEST_CASE("what a manifest cannot be is refused with its place") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"version":"1.0.0","entrypoint":"e"})", "'name' is missing"},
      {R"({"name":"n","entrypoint":"e"})", "'version' is missing"},
      {R"({"name":"n","version":"1.0.0"})", "'entrypoint' is missing"},
      {R"({"name":"N","version":"1.0.0","entrypoint":"e"})", "/name"},
      {R"({"name":"../n","version":"1.0.0","entrypoint":"e"})", "/name"},
      {R"({"name":"-n","version":"1.0.0","entrypoint":"e"})", "/name"},
      {R"({"name":"n\u0000","version":"1.0.0","entrypoint":"e"})", "/name"},
      {R"({"name":"n","version":"1.0","entrypoint":"e"})", "/version"},
      {R"({"name":"n","version":"1.0.0+b","entrypoint":"e"})", "/version"},
      {R"({"name":"n","version":"../1.0.0","entrypoint":"e"})", "/version"},
      {R"({"name":"n","version":1,"entrypoint":"e"})", "/version"},
      {R"({"name":"n","version":"1.0.0","entrypoint":"/e"})", "/entrypoint"},
      {R"({"name":"n","version":"1.0.0","entrypoint":"a/../e"})", "/entrypoint"},
      {with(R"("unknown":1)"), "/unknown"},
      {with(R"("name":"m")"), "name"},
      {with(R"("requirements":"gpu:true")"), "/requirements"},
      {with(R"("requirements":["gpu:maybe"])"), "/requirements/0"},
      {with(R"("requirements":["gpu:0"])"), "/requirements/0"},
      {with(R"("requirements":["gpu:01"])"), "/requirements/0"},
      {with(R"("requirements":["gpu:-1"])"), "/requirements/0"},
      {with(R"("requirements":["tpu:true"])"), "/requirements/0"},
      {with(R"("requirements":["utid:none"])"), "/requirements/0"},
      {with(R"("requirements":["arch:vax"])"), "/requirements/0"},
      {with(R"("requirements":["gpu-memory:lots"])"), "/requirements/0"},
      {with(R"("requirements":["gpu:true","gpu:true"])"), "/requirements/1"},
      {with(R"("requirements":["gpu:true","gpu:2"])"), "/requirements/1"},
      {with(R"("requirements":[1])"), "/requirements/0"},
      {with(R"("proof_policy":{})"), "'required' is missing"},
      {with(R"("proof_policy":{"required":true})"), "/proof_policy"},
      {with(R"("proof_policy":{"required":1,"types":[]})"), "/proof_policy/required"},
      {with(R"("proof_policy":{"required":true,"types":["vibes"]})"), "/proof_policy/types/0"},
      {with(R"("proof_policy":{"required":false,"anchors":["btc:1"]})"), "/proof_policy/anchors/0"},
      {with(R"("proof_policy":{"required":false,"anchors":["evm:x"]})"), "/proof_policy/anchors/0"},
      {with(R"("prewarm":"yes")"), "/prewarm"},
      {with(R"("prewarm":{"replicas":-1})"), "/prewarm/replicas"},
      {with(R"("prewarm":{"replicas":1.5})"), "/prewarm/replicas"},
      {with(R"("prewarm":{"replicas":100000})"), "/prewarm/replicas"},
      {with(R"("billing":{"unit":"run"})"), "'price' is missing"},
      {with(R"("billing":{"unit":"run","price":-1})"), "/billing/price"},
      {with(R"("billing":{"unit":"run","price":1e3})"), "/billing/price"},
      {with(R"("billing":{"unit":"run","price":"free"})"), "/billing/price"},
      {with(R"("billing":{"unit":"a b","price":1})"), "/billing/unit"},
      {with(R"("resources":{"disk":"1Gi"})"), "/resources/disk"},
      {with(R"("resources":{"cpu":"-1"})"), "/resources/cpu"},
      {with(R"("parameters":{"a b":{"type":"number"}})"), "/parameters/a b"},
      {with(R"("parameters":{"a":{"type":"float"}})"), "/parameters/a/type"},
      {with(R"("parameters":{"a":{"type":"number","default":"x"}})"), "/parameters/a/default"},
      {with(R"("parameters":{"a":{"type":"integer","default":1.5}})"), "/parameters/a/default"},
      {with(R"("parameters":{"a":{"type":"number","default":2,"max":1}})"), "/parameters/a/default"},
      {with(R"("parameters":{"a":{"type":"number","min":2,"max":1}})"), "/parameters/a"},
      {with(R"("parameters":{"a":{"type":"string","min":2}})"), "/parameters/a/min"},
      {with(R"("annotations":{"a":1})"), "/annotations/a"},
      {"[]", "object"},
      {"", "capsule.json"},
      {"{\"name\":\"\xff\"}", "capsule.json"},
      {with(R"("description":NaN)"), "capsule.json"},
      {with("\"description\":" + std::string(40, '[') + std::string(40, ']')), "capsule.json"},
      {with("\"description\":\"" + std::string(5000, 'x') + "\""), "/description"},
      {with("\"description\":\"" + std::string(std::size_t{5} << 20U, 'x') + "\""), "capsule.json"}};
  for (const auto& [text, part] : cases) {
    CAPTURE(text.substr(0, 200));
    CHECK_THAT(refusal(text), Catch::Contains(part));
  }
}

TEST_CASE("quantities are those of Kubernetes") {
  CHECK(parse_quantity_milli("1") == 1000U);
  CHECK(parse_quantity_milli("500m") == 500U);
  CHECK(parse_quantity_milli("0.5") == 500U);
  CHECK(parse_quantity_milli("1k") == 1'000'000U);
  CHECK(parse_quantity_milli("1Ki") == 1'024'000U);
  CHECK(parse_quantity_milli("1.5Gi") == 1'610'612'736'000U);
  CHECK(parse_quantity_milli("0.0001") == 1U);
  for (const auto* bad :
       {"", "-1", "1.", ".5", "1.2.3", "1 Gi", "Gi", "1gi", "1e3", "0x10", "9999999999999999", "999999999999P"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_quantity_milli(bad));
  }
}
