// Any text as claims.json; one that is accepted compiles again, is evaluated, and never proves 1 ≤ 0.

#include <cstdlib>

#include "core/error.hpp"
#include "proof/checker.hpp"
#include "proof/claims.hpp"
#include "proof/program.hpp"

using namespace capsule;

namespace {

void evaluate(const proof::Claims& claims, const proof::Claim& claim) {
  const auto program = proof::compile(claim, claims, nullptr);
  std::vector<proof::Interval> box;
  for (const auto& variable : claims.variables) box.push_back({variable.min, variable.max});
  proof::Evaluator values{program};
  if (!values.evaluate(box)) return;
  if (!(values.left().low <= values.left().high) || !(values.right().low <= values.right().high)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto claims = proof::parse_claims({reinterpret_cast<const char*>(data), size}, "fuzz");
    for (const auto& claim : claims.claims) {
      if (claim.type != proof::ClaimType::sim_alignment) evaluate(claims, claim);
    }
  } catch (const Error&) {
  }
  return 0;
}
