#include "proof/sample_copy.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

using capsule::proof::is_copy;

namespace {

using Numbers = std::vector<double>;
using Rounding = std::function<double(double)>;

/// Independent draws of one distribution, rounded.
struct Draws {
  std::mt19937_64 random{20'260'101};

  Numbers normal(
      std::size_t count, const Rounding& round = [](double x) { return x; }) {
    std::normal_distribution<double> of{3, 1};
    Numbers out(count);
    for (auto& value : out) value = round(of(random));
    return out;
  }
  /// Of the numbers 0 … cells - 1.
  Numbers uniform(std::size_t count, int cells, const Rounding& round) {
    std::uniform_int_distribution<int> of{0, cells - 1};
    Numbers out(count);
    for (auto& value : out) value = round(of(random));
    return out;
  }
};

Numbers different(const Numbers& values) {
  const std::set<double> once{values.begin(), values.end()};
  return {once.begin(), once.end()};
}

double to_decimals(double value, int decimals) {
  const double power = std::pow(10.0, decimals);
  return std::round(value * power) / power;
}

const std::map<std::string, Rounding> grids{
    {"integers", [](double x) { return x; }},         {"fives", [](double x) { return 5 * x; }},
    {"hundredths", [](double x) { return x / 100; }}, {"eighths", [](double x) { return x / 8 - 4; }},
    {"thirds", [](double x) { return x / 3; }},       {"millions", [](double x) { return x * 1e6; }}};

}  // namespace

TEST_CASE("independent runs of rounded numbers are hardly ever taken for copies") {
  // The chance is greatest where the reference has few values, so that none stands there twice though the grid is
  // coarse. Of all pairs fewer than one in a thousand may be refused, on no grid more than one in a hundred.
  Draws draws;
  int pairs = 0;
  int refused = 0;
  for (const auto& [name, grid] : grids) {
    for (const std::size_t count : {5U, 10U, 20U, 50U, 200U}) {
      for (const int cells : {5, 10, 20, 40, 100, 400, 2000, 20'000}) {
        CAPTURE(name, count, cells);
        int here = 0;
        for (int i = 0; i < 200; ++i) {
          const auto reference = draws.uniform(count, cells, grid);
          const auto run = draws.uniform(count, cells, grid);
          if (different(reference).size() == different(run).size() && different(reference) == different(run)) continue;
          here += is_copy(run, reference) ? 1 : 0;
          ++pairs;
        }
        CHECK(here <= 2);
        refused += here;
      }
    }
  }
  CHECK(refused * 1000 <= pairs);
}

TEST_CASE("a reference that has each number of a grid once takes no honest run for a copy") {
  Draws draws;
  for (const auto& [name, grid] : grids) {
    for (const int cells : {10, 100, 1000, 9000}) {
      CAPTURE(name, cells);
      Numbers reference(static_cast<std::size_t>(cells));
      std::iota(reference.begin(), reference.end(), 0);
      for (auto& value : reference) value = grid(value);
      for (const std::size_t count : {5U, 20U, 100U, 10'000U}) {
        CHECK_FALSE(is_copy(different(draws.uniform(count, cells - 1, grid)), reference));
      }
    }
  }
  const auto to_hundredths = [](double x) { return to_decimals(x, 2); };
  const auto reference = different(draws.normal(1000, to_hundredths));
  CHECK_FALSE(is_copy(draws.normal(1000, to_hundredths), reference));
  CHECK_FALSE(is_copy(draws.normal(100, to_hundredths), reference));
  CHECK_FALSE(is_copy(draws.normal(10'000, to_hundredths), reference));
}

TEST_CASE("runs of full precision share nothing, runs with a value in common are none the worse") {
  Draws draws;
  auto run = draws.normal(300);
  auto reference = draws.normal(300);
  CHECK_FALSE(is_copy(run, reference));
  for (std::size_t i = 0; i < 150; ++i) run[i] = reference[i];  // say, before any randomness enters
  CHECK_FALSE(is_copy(run, reference));
  for (auto& value : run) value = std::max(value, 3.0);  // half of all values are the same one
  for (auto& value : reference) value = std::max(value, 3.0);
  CHECK_FALSE(is_copy(run, reference));
  CHECK_FALSE(is_copy(Numbers{1, 2}, Numbers{1, 1}));
  CHECK_FALSE(is_copy(Numbers{0, 0, 1e300, -1e300, 5e-324}, Numbers{1e300, 0.5, -1e300, 3e-320, 7}));
}

TEST_CASE("the reference less some values, or more, is a copy") {
  Draws draws;
  for (const int decimals : {4, 6, 17}) {
    for (const std::size_t count : {5U, 6U, 20U, 100U, 1000U}) {
      const auto round = [&](double x) { return decimals == 17 ? x : to_decimals(x, decimals); };
      const auto reference = different(draws.normal(count, round));
      CAPTURE(decimals, count, reference.size());
      CHECK(is_copy(reference, reference));
      auto shuffled = reference;
      std::shuffle(shuffled.begin(), shuffled.end(), draws.random);
      CHECK(is_copy(shuffled, reference));
      if (decimals == 4 && count > 100) continue;  // so dense that honest runs meet half of it
      for (const std::size_t less : {std::size_t{1}, count / 5, 2 * count / 5}) {
        auto run = shuffled;
        run.resize(reference.size() - less);
        if (run.size() > 3) CHECK(is_copy(run, reference));
        const auto noise = draws.normal(less, round);
        run.insert(run.end(), noise.begin(), noise.end());
        if (run.size() - less > std::max<std::size_t>(3, run.size() / 2)) CHECK(is_copy(run, reference));
      }
    }
  }
  const auto reference = draws.normal(100);
  auto drawn = draws.uniform(100, 100, [&](double i) { return reference[static_cast<std::size_t>(i)]; });
  CHECK(is_copy(drawn, reference));  // drawn from the reference, with repetition
  Numbers repeated;
  for (int i = 0; i < 100; ++i) repeated.insert(repeated.end(), reference.begin(), reference.end());
  CHECK(is_copy(repeated, reference));
  auto hidden = draws.normal(9'000);
  hidden.insert(hidden.end(), reference.begin(), reference.end());
  CHECK(is_copy(hidden, reference));
  auto once_twice = reference;  // a value that stands there twice turns nothing off
  once_twice.push_back(reference.front());
  CHECK(is_copy({reference.data(), 99}, once_twice));
}
