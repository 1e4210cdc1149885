#include "proof/refute.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "proof/alignment.hpp"
#include "proof/checker.hpp"
#include "proof/statistics.hpp"

namespace capsule::proof {

namespace {

constexpr std::size_t random_points = 4096;
constexpr std::size_t starts = 4;         // the best of them go on
constexpr double smallest_step = 1.0e-7;  // of a side
constexpr double infinity = 1.0e308;

using Point = std::vector<Interval>;

/// A walk to where left − right is large. What it finds is not believed: the point is evaluated in intervals.
class Search {
 public:
  Search(const Program& program, std::span<const Variable> variables) : m_values(program), m_variables(variables) {}

  Point run() {
    std::vector<std::pair<double, Point>> best;
    SplitMix64 random{1};
    for (std::size_t i = 0; i < random_points; ++i) {
      auto point = random_point(random);
      best.emplace_back(excess(point), std::move(point));
    }
    std::partial_sort(best.begin(), best.begin() + starts, best.end(),
                      [](const auto& a, const auto& b) { return a.first > b.first; });
    best.resize(starts);
    for (auto& [value, point] : best) climb(value, point);
    return std::max_element(best.begin(), best.end(), [](const auto& a, const auto& b) { return a.first < b.first; })
        ->second;
  }

  /// left.low − right.high, both at the point: beyond 0 the claim is false there, whatever the rounding.
  double excess(const Point& point) {
    if (!m_values.evaluate(point)) return -infinity;
    return m_values.left().low - m_values.right().high;
  }
  [[nodiscard]] const Evaluator& values() const noexcept { return m_values; }

 private:
  Point random_point(SplitMix64& random) {
    Point point;
    for (const auto& variable : m_variables) {
      const double share = static_cast<double>(random.next() >> 11U) * 0x1p-53;
      const double at = std::clamp(variable.min + share * (variable.max - variable.min), variable.min, variable.max);
      point.push_back({at, at});
    }
    return point;
  }

  /// Steps along each side while that helps, then smaller ones.
  void climb(double& value, Point& point) {
    double step = 0.25;
    while (step > smallest_step) {
      for (std::size_t i = 0; i < point.size(); ++i) {
        while (move(value, point, i, step) || move(value, point, i, -step)) {
        }
      }
      step *= 0.5;
    }
  }

  bool move(double& value, Point& point, std::size_t i, double step) {
    const auto& variable = m_variables[i];
    const auto before = point[i];
    const double at = std::clamp(before.low + step * (variable.max - variable.min), variable.min, variable.max);
    point[i] = {at, at};
    const double there = excess(point);
    if (there > value) {
      value = there;
      return true;
    }
    point[i] = before;
    return false;
  }

  Evaluator m_values;
  std::span<const Variable> m_variables;
};

std::string describe(const Point& point, std::span<const Variable> variables) {
  std::string out;
  for (std::size_t i = 0; i < point.size(); ++i)
    out += fmt::format("{}{} = {:.6g}", i == 0 ? "" : ", ", variables[i].name, point[i].low);
  return out;
}

/// Whether the claim is false at the best point that was found.
std::optional<std::string> counterexample(const Claim& claim, const Claims& claims, const json::Value& record) {
  const auto program = compile(claim, claims, &record);
  Search search{program, claims.variables};
  const auto point = search.run();
  const double excess = search.excess(point);
  if (excess < 0 || (excess == 0 && claim.relation == Relation::less_equal)) return std::nullopt;
  return fmt::format("false at {}: left is {:.9g}, right is {:.9g}, over by {:.3g}", describe(point, claims.variables),
                     search.values().left().low, search.values().right().high, excess);
}

std::optional<std::string> reason_against(const Facts& facts, const Claim& claim, Alignments& alignments) {
  if (claim.type == ClaimType::forall) return counterexample(claim, facts.claims, facts.record);
  if (claim.type == ClaimType::sim_alignment) {
    const auto result = alignments.decide(claim);
    return result.verdict == ClaimResult::Verdict::holds ? std::nullopt : std::optional{result.detail};
  }
  const auto decision = decide_compare(compile(claim, facts.claims, &facts.record), claim.relation, claim.tolerance);
  return decision.holds ? std::nullopt : std::optional{decision.reason};
}

}  // namespace

std::vector<ClaimResult> refuted_claims(const Facts& facts) {
  std::vector<ClaimResult> out;
  Alignments alignments{facts};
  for (const auto& claim : facts.claims.claims) {
    const auto type = claim.type == ClaimType::sim_alignment ? sim_alignment : mathematical_proof;
    if (auto reason = reason_against(facts, claim, alignments))
      out.push_back({claim.name, std::string{type}, ClaimResult::Verdict::fails, std::move(*reason)});
  }
  return out;
}

}  // namespace capsule::proof
