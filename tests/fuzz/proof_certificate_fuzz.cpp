// Any text as a certificate: it never proves a claim that fails at a point of the box, and never needs more than its
// limits.

#include <cstdlib>
#include <string>

#include "proof/checker.hpp"
#include "proof/claims.hpp"
#include "proof/program.hpp"

using namespace capsule;

namespace {

proof::Claims claims_with(const std::string& right) {
  return proof::parse_claims(
      R"({"version":1,"variables":{"x":{"min":0,"max":1},"y":{"min":-1,"max":1}},"claims":[{"name":"c","type":"forall",)"
      R"("left":{"sub":[{"mul":["x",{"sub":[1,"x"]}]},{"square":"y"}]},"relation":"<=","right":)" +
      right + "}]}");
}

bool is_proven(const proof::Claims& claims, std::string_view tree) {
  const auto program = proof::compile(claims.claims[0], claims, nullptr);
  return proof::check_bisection(program, claims.claims[0].relation, claims.variables, tree,
                                {.nodes = 100'000, .depth = 60})
      .holds;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto false_claims = claims_with("0.2499999");  // x(1 − x) − y² reaches 0.25
  static const auto true_claims = claims_with("0.26");
  const std::string_view tree{reinterpret_cast<const char*>(data), size};
  if (is_proven(false_claims, tree)) std::abort();
  static_cast<void>(is_proven(true_claims, tree));
  return 0;
}
