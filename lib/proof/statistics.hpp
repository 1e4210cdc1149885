#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace capsule::proof {

/// SplitMix64 (Steele, Lea, Flood 2014; Vigna's constants), state = seed.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) noexcept : m_state(seed) {}
  std::uint64_t next() noexcept;
  /// Uniform in [0, n): the high 64 bits of next()·n.
  std::size_t index(std::size_t n) noexcept;

 private:
  std::uint64_t m_state;
};

struct KolmogorovSmirnov {
  double d = 0;  ///< largest distance of the two empirical distribution functions
  double p = 1;  ///< exact probability of a distance of at least d between two samples of one continuous distribution
};

/// Two-sample, two-sided: SciPy's ks_2samp(method="exact"). Both sides hold 1 to 10,000 finite numbers. p is a sum of
/// positive terms (lattice paths that leave the band), so that small values keep their relative precision; time and
/// memory are those of the band, at most 10⁸ steps and 10⁴ numbers.
KolmogorovSmirnov kolmogorov_smirnov(std::span<const double> left, std::span<const double> right);

/// (mean of left − mean of right) / pooled standard deviation (n + m − 2 degrees of freedom); nothing where neither
/// side varies. Both sides hold at least 2 numbers.
std::optional<double> cohens_d(std::span<const double> left, std::span<const double> right);

struct BootstrapInterval {
  double low = 0;   ///< the 2.5th percentile
  double high = 0;  ///< the 97.5th percentile
};

/// Percentile bootstrap of mean(left) − mean(right). Each draw resamples left, then right, from one SplitMix64 stream;
/// percentiles are interpolated linearly between order statistics (numpy's default).
BootstrapInterval bootstrap_mean_difference(std::span<const double> left, std::span<const double> right,
                                            std::uint64_t seed, std::size_t draws);

}  // namespace capsule::proof
