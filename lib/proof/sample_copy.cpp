#include "proof/sample_copy.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <vector>

namespace capsule::proof {

namespace {

constexpr std::ptrdiff_t neighbours = 17;

/// The step of the grid on which all of `values` (sorted, all different) stand; 0 where they stand on none. Of numbers
/// so dense on a grid that they meet by chance, two stand side by side: the smallest gap is the step, or a few of them.
double grid_step(const std::vector<double>& values) {
  constexpr double tolerance = 1e-3;  // of a step: the numbers are rounded to doubles
  std::vector<double> gaps;
  for (std::size_t i = 1; i < values.size(); ++i) gaps.push_back(values[i] - values[i - 1]);
  const auto smallest = *std::min_element(gaps.begin(), gaps.end());
  for (int steps = 1; steps <= 6; ++steps) {
    const double step = smallest / steps;
    const auto is_multiple = [step](double gap) { return std::abs(std::remainder(gap, step)) <= tolerance * step; };
    if (std::all_of(gaps.begin(), gaps.end(), is_multiple)) return step;
  }
  return 0;
}

/// The chance that a number of the grid which falls near `value` is one of `others` (sorted, all different).
double chance_to_meet(double value, const std::vector<double>& others, double step) {
  const auto size = std::ssize(others);
  const auto at = std::lower_bound(others.begin(), others.end(), value) - others.begin();
  const auto last = std::min(size - 1, std::max<std::ptrdiff_t>(0, at - neighbours / 2) + neighbours - 1);
  const auto first = std::max<std::ptrdiff_t>(0, last - neighbours + 1);
  const auto range = others[static_cast<std::size_t>(last)] - others[static_cast<std::size_t>(first)];
  return std::min(1.0, static_cast<double>(last - first + 1) * step / (range + step));
}

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> out{values.begin(), values.end()};
  std::sort(out.begin(), out.end());
  return out;
}

void keep_different(std::vector<double>& values) {
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

bool is_copy(std::span<const double> run, std::span<const double> reference) {
  auto ours = sorted(run);
  auto theirs = sorted(reference);
  if (ours == theirs) return true;
  keep_different(ours);
  keep_different(theirs);
  if (theirs.size() < 2 || reference.size() - theirs.size() > reference.size() / 10) return false;
  const auto& fewer = ours.size() < theirs.size() ? ours : theirs;
  const auto& more = ours.size() < theirs.size() ? theirs : ours;
  std::vector<double> all;
  std::set_union(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(all));
  const auto shared = ours.size() + theirs.size() - all.size();
  if (shared <= fewer.size() / 2) return false;
  const auto step = grid_step(all);
  const auto expected = std::accumulate(fewer.begin(), fewer.end(), 0.0, [&](double sum, double value) {
    return sum + chance_to_meet(value, more, step);
  });
  return static_cast<double>(shared) > expected + 3 * std::sqrt(expected) + 3;
}

}  // namespace capsule::proof
