// Leaves per second of the forall checker, for objectives of 50 operations: plain arithmetic, and with the exp and log
// of a physical model. Prints one table; memory is by how much the
// process's peak grows while a certificate of 10^5 and of 10^6 leaves is walked; its text is there before.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "json/write.hpp"
#include "proof/checker.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

constexpr std::size_t operations = 50;

/// A chain of definitions f<i> = (f<i−1>·0.5 + x) / (2 + x²), with an exp or a log of |…| now and then.
Claims claims_with(bool transcendental) {
  json::Object definitions;
  json::Value last{"x0"};
  for (std::size_t i = 1, count = 0; count < operations; ++i, count += 5) {
    const auto variable = "x" + std::to_string(i % 4);
    json::Value above = json::Object{{"add", json::Array{json::Object{{"mul", json::Array{last, 0.5}}}, variable}}};
    if (transcendental && i % 2 == 0) {
      above = json::Object{{i % 4 == 0 ? "log" : "exp", json::Object{{"abs", above}}}};
      count += 2;
    }
    const json::Value below = json::Object{{"add", json::Array{2, json::Object{{"square", variable}}}}};
    last = "f" + std::to_string(i);
    definitions.set(*last.if_string(), json::Object{{"div", json::Array{above, below}}});
  }
  json::Object variables;
  for (int i = 0; i < 4; ++i) variables.set("x" + std::to_string(i), json::Object{{"min", 0.1}, {"max", 0.9}});
  const json::Value claim{
      json::Object{{"name", "bounded"}, {"type", "forall"}, {"left", last}, {"relation", "<="}, {"right", 1000}}};
  return parse_claims(json::compact(json::Object{
      {"version", 1}, {"variables", variables}, {"definitions", definitions}, {"claims", json::Array{claim}}}));
}

void append_tree(std::string& tree, std::size_t levels) {
  if (levels == 0) {
    tree += '.';
    return;
  }
  tree += static_cast<char>('a' + static_cast<int>(levels % 4));
  append_tree(tree, levels - 1);
  append_tree(tree, levels - 1);
}

/// The full tree of that depth, halving the variables in turn. In one piece, so that it leaves no room behind in which
/// the checker's memory would not be seen.
std::string full_tree(std::size_t levels) {
  std::string tree;
  tree.reserve((std::size_t{2} << levels) - 1);
  append_tree(tree, levels);
  return tree;
}

/// Of this process alone: other work on the machine does not count.
double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// A full tree of that depth, `walks` times.
void measure(const char* name, bool transcendental, std::size_t depth, int walks) {
  const auto claims = claims_with(transcendental);
  const auto program = compile(claims.claims[0], claims, nullptr);
  const auto tree = full_tree(depth);
  const long before = peak_kib();
  std::uint64_t leaves = 0;  // of one walk
  const double began = processor_seconds();
  for (int i = 0; i < walks; ++i) {
    const auto decision = check_bisection(program, Relation::less_equal, claims.variables, tree);
    if (!decision.holds) throw std::logic_error{decision.reason};
    leaves = decision.leaves;
  }
  const double took = processor_seconds() - began;
  const auto computed = std::count_if(program.code.begin(), program.code.end(), [](const Instruction& instruction) {
    return instruction.operation != Operation::constant && instruction.operation != Operation::variable;
  });
  fmt::print("| {:<24} | {:>10} | {:>9} | {:>12.0f} | {:>9} |\n", name, computed, leaves,
             static_cast<double>(leaves) * walks / took, peak_kib() - before);
}

}  // namespace

int main() {
  fmt::print(
      "| forall checker           | operations |    leaves | leaves/s/core | KiB grown |\n|---|---|---|---|---|\n");
  for (const bool transcendental : {false, true}) {
    const auto* name = transcendental ? "with exp and log" : "arithmetic";
    measure(name, transcendental, 17, 8);
    measure(name, transcendental, 20, 1);
  }
}
