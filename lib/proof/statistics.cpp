#include "proof/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace capsule::proof {

namespace {

/// The largest |i·(m/g) − j·(n/g)|, where i and j count the values up to each value: d times the common multiple of n
/// and m, as an integer.
std::int64_t largest_distance(std::vector<double> left, std::vector<double> right, std::int64_t left_step,
                              std::int64_t right_step) {
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  std::int64_t largest = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < left.size() && j < right.size()) {
    const double value = std::min(left[i], right[j]);
    while (i < left.size() && left[i] == value) ++i;
    while (j < right.size() && right[j] == value) ++j;
    largest = std::max(largest,
                       std::abs(static_cast<std::int64_t>(i) * left_step - static_cast<std::int64_t>(j) * right_step));
  }
  return largest;
}

/// The probability that a random lattice path from (0, 0) to (n, m) touches a point with |i·left_step − j·right_step|
/// ≥ distance. touched(i, j), the probability for a path to (i, j), is 1 outside of the band, and inside of it the
/// mean of its two predecessors, weighted by how many paths come from each.
double probability_outside(std::int64_t n, std::int64_t m, std::int64_t distance) {
  const std::int64_t g = std::gcd(n, m);
  const std::int64_t left_step = m / g;
  const std::int64_t right_step = n / g;
  // One row; what is right of the band has not been reached yet, and what is left of it is not read again.
  std::vector<double> touched(static_cast<std::size_t>(m) + 1, 1.0);
  for (std::int64_t i = 0; i <= n; ++i) {
    // Inside: (i·left_step − distance) / right_step < j < (i·left_step + distance) / right_step.
    const std::int64_t below = i * left_step - distance;
    const std::int64_t first = below < 0 ? 0 : below / right_step + 1;
    const std::int64_t last = std::min(m, (i * left_step + distance - 1) / right_step);
    for (std::int64_t j = first; j <= last; ++j) {
      const auto at = static_cast<std::size_t>(j);
      if (i == 0 && j == 0) {
        touched[0] = 0;
        continue;
      }
      const double from_left = i > 0 ? touched[at] * static_cast<double>(i) : 0.0;
      const double from_below = j > 0 ? (j == first ? 1.0 : touched[at - 1]) * static_cast<double>(j) : 0.0;
      touched[at] = (from_left + from_below) / static_cast<double>(i + j);
    }
  }
  return touched[static_cast<std::size_t>(m)];
}

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double squares_about(std::span<const double> values, double mean) {
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum;
}

double resampled_mean(std::span<const double> values, SplitMix64& random) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.index(values.size())];
  return sum / static_cast<double>(values.size());
}

/// Linear interpolation between order statistics of sorted values.
double percentile(std::span<const double> sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - static_cast<double>(below));
}

}  // namespace

std::uint64_t SplitMix64::next() noexcept {
  std::uint64_t z = (m_state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

std::size_t SplitMix64::index(std::size_t n) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((static_cast<Wide>(next()) * n) >> 64U);
}

KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> left, std::span<const double> right) {
  const auto n = static_cast<std::int64_t>(left.size());
  const auto m = static_cast<std::int64_t>(right.size());
  const std::int64_t g = std::gcd(n, m);
  const auto distance = largest_distance({left.begin(), left.end()}, {right.begin(), right.end()}, m / g, n / g);
  if (distance == 0) return {0, 1};
  const std::int64_t common_multiple = n / g * m;
  return {static_cast<double>(distance) / static_cast<double>(common_multiple), probability_outside(n, m, distance)};
}

std::optional<double> cohens_d(std::span<const double> left, std::span<const double> right) {
  const double left_mean = mean_of(left);
  const double right_mean = mean_of(right);
  const double squares = squares_about(left, left_mean) + squares_about(right, right_mean);
  const double pooled = std::sqrt(squares / static_cast<double>(left.size() + right.size() - 2));
  if (pooled == 0) return std::nullopt;
  return (left_mean - right_mean) / pooled;
}

BootstrapInterval bootstrap_mean_difference(std::span<const double> left, std::span<const double> right,
                                            std::uint64_t seed, std::size_t draws) {
  SplitMix64 random{seed};
  std::vector<double> differences(draws);
  for (double& difference : differences) {
    const double left_mean = resampled_mean(left, random);
    difference = left_mean - resampled_mean(right, random);
  }
  std::sort(differences.begin(), differences.end());
  return {percentile(differences, 0.025), percentile(differences, 0.975)};
}

}  // namespace capsule::proof
