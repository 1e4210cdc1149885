#include "proof/statistics.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

/// As vectors/make_statistics.py makes them.
std::vector<double> samples(std::uint64_t seed, std::size_t count, double shift, std::size_t grid) {
  SplitMix64 random{seed};
  std::vector<double> out(count);
  for (double& value : out) {
    std::size_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += random.index(grid);
    value = static_cast<double>(sum) / static_cast<double>(grid) + shift;
  }
  return out;
}

}  // namespace

TEST_CASE("the statistics are SciPy's") {
  const auto document = json::parse(
      fs::read_file(CAPSULE_TEST_SOURCE "/tests/unit/proof/vectors/statistics.json", 1U << 20U), "statistics.json");
  const json::Cursor top{document, "statistics.json"};
  SplitMix64 random{top.at("splitmix64").at("seed").uint64()};
  for (const auto& expected : top.at("splitmix64").at("next").elements())
    CHECK(std::to_string(random.next()) == expected.string());
  for (const auto& c : top.at("cases").elements()) {
    const auto n = c.at("n").uint64();
    const auto m = c.at("m").uint64();
    CAPTURE(n, m);
    const auto grid = c.at("grid").uint64();
    const auto left = samples(n * 1000 + m, n, c.at("shift").number(), grid);
    const auto right = samples(m * 7 + 1, m, 0, grid);
    const auto ks = kolmogorov_smirnov(left, right);
    CHECK(std::abs(ks.d - c.at("d").number()) < 1e-12);
    CHECK(std::abs(ks.p - c.at("p").number()) < 1e-11);
    CHECK(cohens_d(left, right).value() == Approx(c.at("cohens_d").number()).epsilon(1e-10).margin(1e-12));
    const auto interval = bootstrap_mean_difference(left, right, c.at("seed").uint64(), c.at("draws").uint64());
    CHECK(interval.low == Approx(c.at("bootstrap").at("low").number()).epsilon(1e-10).margin(1e-12));
    CHECK(interval.high == Approx(c.at("bootstrap").at("high").number()).epsilon(1e-10).margin(1e-12));
  }
}

TEST_CASE("Kolmogorov–Smirnov at the edges") {
  const std::vector<double> low{1, 2, 3, 4};
  const std::vector<double> high{5, 6, 7, 8};
  CHECK(kolmogorov_smirnov(low, low).d == 0);
  CHECK(kolmogorov_smirnov(low, low).p == 1);
  CHECK(kolmogorov_smirnov(low, high).d == 1);
  CHECK(kolmogorov_smirnov(low, high).p == Approx(2.0 / 70));  // the two paths along the edges, of C(8, 4)
  const std::vector<double> one{1};
  CHECK(kolmogorov_smirnov(one, high).p == Approx(2.0 / 5));
  const std::vector<double> same{2, 2, 2};
  CHECK(kolmogorov_smirnov(same, same).d == 0);
  const auto far = samples(1, 10'000, 100, std::size_t{1} << 40U);
  const auto near = samples(2, 9'999, 0, std::size_t{1} << 40U);
  CHECK(kolmogorov_smirnov(far, near).p == 0);  // below the smallest double
}

TEST_CASE("an effect size needs a spread") {
  const std::vector<double> flat{2, 2, 2};
  CHECK_FALSE(cohens_d(flat, flat));
  const std::vector<double> varied{1, 2, 3};
  CHECK(cohens_d(varied, varied).value() == 0);
}
