#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proof/program.hpp"

namespace capsule::proof {

/// All numbers from low to high, both finite, low ≤ high.
struct Interval {
  double low = 0;
  double high = 0;
};

/// What a check came to. `reason` is one line: by how much a claim holds or fails, or what is wrong with a certificate.
struct Decision {
  bool holds = false;
  std::string reason;
  std::uint64_t leaves = 0;  ///< forall: that were checked
};

/// Evaluates a program over a box in outward-rounded interval arithmetic (IEEE 754 double): the value of each
/// expression at each point of the box lies in its interval. + − × ÷ are rounded outward by the processor; exp and log
/// are called in round-to-nearest and widened by 2 ulp, twice the error that glibc's manual states ("Known Maximum
/// Errors in Math Functions": 1 ulp for both on every platform of ours); the lower bound of a root is the double below
/// its upward-rounded root. What has no value on all of the box (a root of less than 0, a logarithm of 0 or less, a
/// division by an interval that holds 0) and what leaves the finite doubles is refused, never guessed.
class Evaluator {
 public:
  /// The program must outlive it. Allocates here, never in `evaluate`.
  explicit Evaluator(const Program& program);

  /// False where the program has no value on all of the box; `refused_at` then names the instruction.
  [[nodiscard]] bool evaluate(std::span<const Interval> box) noexcept;
  [[nodiscard]] Interval left() const noexcept { return m_slots[m_program.left]; }
  [[nodiscard]] Interval right() const noexcept { return m_slots[m_program.right]; }
  [[nodiscard]] Operation refused_at() const noexcept { return m_program.code[m_refused].operation; }

 private:
  const Program& m_program;
  std::vector<Interval> m_slots;
  std::vector<std::size_t> m_steps;  ///< the instructions but for constants, whose slots never change
  std::size_t m_refused = 0;
};

/// Decides a compare claim. `=` with tolerance t holds if |left − right| ≤ t for all values that the intervals allow,
/// `<=` if left.high ≤ right.low + t, `<` likewise; what cannot be decided does not hold.
Decision decide_compare(const Program& program, Relation relation, double tolerance);

/// What all certificates that are checked together may cost: nodes × Program::cost(); half a minute or so.
inline constexpr std::uint64_t max_certificate_cost = 4'000'000'000;

struct CertificateLimits {
  std::size_t nodes = 10'000'000;
  std::size_t depth = 200;
  std::uint64_t cost = max_certificate_cost;  ///< nodes × Program::cost()
};

/// Checks a bisection certificate of "for all variables in `box`: left relation right". `tree` in preorder: a letter
/// halves that variable ('a' the first of `box`) at low·0.5 + high·0.5, lower half first; '.' says that interval
/// arithmetic proves the claim on this box. Reads the tree once; memory only for the depth. Never throws for a bad
/// tree: it does not hold, and the reason says why. Pure.
Decision check_bisection(const Program& program, Relation relation, std::span<const Variable> box,
                         std::string_view tree, const CertificateLimits& limits = {});

}  // namespace capsule::proof
