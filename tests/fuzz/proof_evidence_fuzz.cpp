// Any text as evidence, alone and against a capsule's claims: it is refused, or all of it holds.

#include <cstdlib>

#include "core/error.hpp"
#include "json/parse.hpp"
#include "proof/checker.hpp"
#include "proof/evidence.hpp"

using namespace capsule;

namespace {

constexpr std::string_view claims_text =
    R"({"version":1,"variables":{"x":{"min":0,"max":1}},"claims":[)"
    R"({"name":"false","type":"compare","left":{"record":"/score"},"relation":"=","right":2},)"
    R"({"name":"s","type":"sim_alignment","samples":"/samples","reference":"r.json","reference_pointer":"",)"
    R"("max_effect_size":1,"min_p":0.01}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto claims = proof::parse_claims(claims_text);
  static const auto record = json::parse(R"({"seed":1,"score":1,"samples":[1,2,3]})", "record");
  static const std::map<std::string, std::string> files{{"r.json", "[1.5,2.5,3.5]"}};
  try {
    const auto evidence = json::parse({reinterpret_cast<const char*>(data), size}, "fuzz", {.depth = 56});
    try {
      auto cost_left = proof::max_certificate_cost;
      static_cast<void>(proof::check_alone(evidence, cost_left));
    } catch (const Error&) {
    }
    proof::require_all_hold(proof::check_evidence({claims, files, record}, evidence));
    std::abort();  // the score is 1, so that nothing can prove that it is 2
  } catch (const Error&) {
  }
  return 0;
}
