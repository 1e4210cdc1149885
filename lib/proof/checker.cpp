// The trusted base of a mathematical proof: interval arithmetic and the walk over a certificate. Compiled with
// -frounding-math and -ffp-contract=off. The rounding mode changes only in the two functions below, which the compiler
// cannot see through; every value crosses their calls in memory (m_slots), so that no operation can move to the other
// side.
#include "proof/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/numeric/interval.hpp>
#include <cfenv>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace capsule::proof {

namespace {

namespace library = boost::numeric::interval_lib;
/// Nothing is saved or checked per operation: `evaluate` sets the mode once and looks at every result itself.
using Unprotected =
    boost::numeric::interval<double, library::policies<library::save_state_nothing<library::rounded_arith_opp<double>>,
                                                       library::checking_base<double>>>;

constexpr double infinity = std::numeric_limits<double>::infinity();

[[gnu::noinline]] void round_upward() noexcept {
  std::fesetround(FE_UPWARD);
}
[[gnu::noinline]] void round_to_nearest() noexcept {
  std::fesetround(FE_TONEAREST);
}

/// The one rounding guard: upward while it lives (lower bounds are computed as negated upper ones).
class UpwardRounding {
 public:
  UpwardRounding() noexcept { round_upward(); }
  UpwardRounding(const UpwardRounding&) = delete;
  UpwardRounding& operator=(const UpwardRounding&) = delete;
  ~UpwardRounding() { round_to_nearest(); }
};

Unprotected of(const Interval& x) noexcept {
  return {x.low, x.high};
}
Interval from(const Unprotected& x) noexcept {
  return {x.lower(), x.upper()};
}

double two_ulp_down(double value) noexcept {
  return std::nextafter(std::nextafter(value, -infinity), -infinity);
}
double two_ulp_up(double value) noexcept {
  return std::nextafter(std::nextafter(value, infinity), infinity);
}

/// Calls a function of the C library in round-to-nearest, the mode that its stated error is for.
template <double (*function)(double)>
[[gnu::noinline]] void call_monotonic(const Interval& x, Interval& out) noexcept {
  round_to_nearest();
  out = {function(x.low), function(x.high)};
  out = {two_ulp_down(out.low), two_ulp_up(out.high)};
  round_upward();
}

Interval square_root(const Interval& x) noexcept {
  const double low = std::sqrt(x.low);  // rounded upward: the double below is below the root
  return {low > 0 ? std::nextafter(low, 0.0) : 0.0, std::sqrt(x.high)};
}

/// A point to the n-th power, n ≥ 1, by n − 1 multiplications.
Unprotected power_of_point(double x, int n) noexcept {
  const Unprotected point{x, x};
  Unprotected out = point;
  for (int i = 1; i < n; ++i) out *= point;
  return out;
}

/// x to the n-th power, n ≥ 0: monotonic for odd n, and for even n on |x|.
Interval power(const Interval& x, int n) noexcept {
  if (n == 0) return {1, 1};
  const auto base = n % 2 == 0 ? from(abs(of(x))) : x;
  return {power_of_point(base.low, n).lower(), power_of_point(base.high, n).upper()};
}

bool holds_zero(const Interval& x) noexcept {
  return x.low <= 0 && x.high >= 0;
}

/// Runs one instruction; false where it has no value on all of its operands.
bool step(const Instruction& instruction, std::span<const Interval> box, std::vector<Interval>& slots,
          Interval& out) noexcept {
  const Interval& a = slots[instruction.a];
  const Interval& b = slots[instruction.b];
  switch (instruction.operation) {
    case Operation::constant:
      return true;  // has its value since the evaluator was made
    case Operation::variable:
      out = box[instruction.a];
      return true;
    case Operation::add:
      out = from(of(a) + of(b));
      return true;
    case Operation::sub:
      out = from(of(a) - of(b));
      return true;
    case Operation::mul:
      out = from(of(a) * of(b));
      return true;
    case Operation::div:
      if (holds_zero(b)) return false;
      out = from(of(a) / of(b));
      return true;
    case Operation::neg:
      out = {-a.high, -a.low};
      return true;
    case Operation::abs:
      out = from(abs(of(a)));
      return true;
    case Operation::min:
      out = from(min(of(a), of(b)));
      return true;
    case Operation::max:
      out = from(max(of(a), of(b)));
      return true;
    case Operation::sqrt:
      if (a.low < 0) return false;
      out = square_root(a);
      return true;
    case Operation::square:
      out = from(square(of(a)));
      return true;
    case Operation::pow:
      out = power(a, std::abs(instruction.exponent));
      if (instruction.exponent >= 0) return true;
      if (holds_zero(out)) return false;
      out = from(Unprotected{1.0, 1.0} / of(out));
      return true;
    case Operation::exp:
      call_monotonic<std::exp>(a, out);
      out.low = out.low > 0 ? out.low : 0;
      return true;
    case Operation::log:
      if (a.low <= 0) return false;
      call_monotonic<std::log>(a, out);
      return true;
  }
  return false;
}

/// Finite and in order; false for NaN.
bool is_sound(const Interval& x) noexcept {
  return x.low <= x.high && x.low > -infinity && x.high < infinity;
}

bool holds_on(const Evaluator& values, Relation relation) noexcept {
  return relation == Relation::less ? values.left().high < values.right().low
                                    : values.left().high <= values.right().low;
}

}  // namespace

Evaluator::Evaluator(const Program& program) : m_program(program), m_slots(program.code.size()) {
  for (std::size_t i = 0; i < program.code.size(); ++i) {
    const auto& instruction = program.code[i];
    if (instruction.operation == Operation::constant)
      m_slots[i] = {instruction.value, instruction.value};
    else
      m_steps.push_back(i);
  }
}

[[gnu::noinline]] bool Evaluator::evaluate(std::span<const Interval> box) noexcept {
  const UpwardRounding upward;
  for (const std::size_t i : m_steps) {
    if (!step(m_program.code[i], box, m_slots, m_slots[i]) || !is_sound(m_slots[i])) {
      m_refused = i;
      return false;
    }
  }
  return true;
}

namespace {

/// The middle of a box's side, in round-to-nearest whatever is computed around it.
double midpoint(Interval side) noexcept {
  asm volatile("" : "+m"(side.low), "+m"(side.high) : : "memory");
  double middle = side.low * 0.5 + side.high * 0.5;
  asm volatile("" : "+m"(middle) : : "memory");
  return middle;
}

/// One number where the interval is narrow.
std::string describe(const Interval& x) {
  const double width = x.high - x.low;
  return width <= 1e-9 * std::max(std::abs(x.low), std::abs(x.high)) ? fmt::format("{:.9g}", x.high)
                                                                     : fmt::format("[{:.9g}, {:.9g}]", x.low, x.high);
}

std::string describe(const Evaluator& values) {
  return fmt::format("left is {}, right is {}", describe(values.left()), describe(values.right()));
}

std::string refusal(const Evaluator& values) {
  return fmt::format("'{}' has no finite value there", name_of(values.refused_at()));
}

std::string describe_box(std::span<const Variable> variables, std::span<const Interval> box) {
  std::string out;
  for (std::size_t i = 0; i < box.size(); ++i)
    out += fmt::format("{}{} in [{}, {}]", i == 0 ? "" : ", ", variables[i].name, box[i].low, box[i].high);
  return out.empty() ? "the one point" : out;
}

/// One inner node above the place where the walk is.
struct Frame {
  std::size_t variable;
  double high;  ///< of the whole side
  double low;   ///< of the whole side
  double middle;
  bool upper;  ///< in the upper half now
};

/// The walk over one tree: `box` is where it is, `frames` how it came there.
class Walk {
 public:
  Walk(const Program& program, Relation relation, std::span<const Variable> variables, std::size_t depth)
      : m_values(program), m_relation(relation), m_variables(variables), m_depth(depth) {
    for (const auto& variable : variables) m_box.push_back({variable.min, variable.max});
    m_frames.reserve(depth);
  }

  /// Takes the tree's next node; an empty reason means that the walk goes on (or is done).
  std::string take(char node) {
    if (m_done) return "nodes are left over after the tree's end";
    if (node == '.') return leaf();
    const auto variable = static_cast<std::size_t>(static_cast<unsigned char>(node)) - std::size_t{'a'};
    if (node < 'a' || variable >= m_box.size())
      return fmt::format("'{}' names no variable", printable(std::string_view{&node, 1}));
    if (m_frames.size() == m_depth) return fmt::format("deeper than {}", m_depth);
    auto& side = m_box[variable];
    m_frames.push_back({variable, side.high, side.low, midpoint(side), false});
    side.high = m_frames.back().middle;
    return {};
  }

  [[nodiscard]] bool done() const noexcept { return m_done; }
  [[nodiscard]] std::uint64_t leaves() const noexcept { return m_leaves; }

 private:
  std::string leaf() {
    if (!m_values.evaluate(m_box))
      return fmt::format("the leaf at {}: {}", describe_box(m_variables, m_box), refusal(m_values));
    if (!holds_on(m_values, m_relation)) {
      return fmt::format("the leaf at {} is not proven: {}, over by {:.3g}", describe_box(m_variables, m_box),
                         describe(m_values), m_values.left().high - m_values.right().low);
    }
    ++m_leaves;
    next_box();
    return {};
  }

  /// Up to the next inner node whose upper half is not seen yet.
  void next_box() noexcept {
    while (!m_frames.empty() && m_frames.back().upper) {
      m_box[m_frames.back().variable] = {m_frames.back().low, m_frames.back().high};
      m_frames.pop_back();
    }
    if (m_frames.empty()) {
      m_done = true;
      return;
    }
    auto& frame = m_frames.back();
    frame.upper = true;
    m_box[frame.variable] = {frame.middle, frame.high};
  }

  Evaluator m_values;
  Relation m_relation;
  std::span<const Variable> m_variables;
  std::size_t m_depth;
  std::vector<Interval> m_box;
  std::vector<Frame> m_frames;
  std::uint64_t m_leaves = 0;
  bool m_done = false;
};

}  // namespace

Decision check_bisection(const Program& program, Relation relation, std::span<const Variable> box,
                         std::string_view tree, const CertificateLimits& limits) {
  if (tree.size() > limits.nodes) return {false, fmt::format("the certificate has more than {} nodes", limits.nodes)};
  if (tree.size() * program.cost() > limits.cost)
    return {false, fmt::format("the certificate is too costly to check: {} nodes of {} operations", tree.size(),
                               program.cost())};
  Walk walk{program, relation, box, limits.depth};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const auto fault = walk.take(tree[i]);
    if (!fault.empty()) return {false, fmt::format("certificate, node {}: {}", i, fault), walk.leaves()};
  }
  if (!walk.done()) return {false, "certificate: nodes are missing at the tree's end", walk.leaves()};
  return {true, fmt::format("proven on {} boxes", walk.leaves()), walk.leaves()};
}

Decision decide_compare(const Program& program, Relation relation, double tolerance) {
  Evaluator values{program};
  if (!values.evaluate({})) return {false, refusal(values)};
  const auto left = values.left();
  const auto right = values.right();
  // Sums of two doubles in round-to-nearest, moved one further: never less than the largest true difference.
  const double over = std::nextafter(left.high - right.low, infinity);
  const double under = std::nextafter(right.high - left.low, infinity);
  if (relation == Relation::equal) {
    const double apart =
        left.low == left.high && right.low == right.high && left.low == right.low ? 0 : std::max(over, under);
    return {apart <= tolerance,
            fmt::format("{}, at most {:.3g} apart (tolerance {:.3g})", describe(values), apart, tolerance)};
  }
  const bool plainly = holds_on(values, relation);
  const bool within = tolerance > 0 && (relation == Relation::less ? over < tolerance : over <= tolerance);
  return {plainly || within, fmt::format("{}, {} by {:.3g}", describe(values), plainly ? "holds" : "over",
                                         std::abs(left.high - right.low))};
}

}  // namespace capsule::proof
