#include "oci/settling.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <vector>

using namespace capsule;
using namespace std::chrono_literals;

TEST_CASE("who put a tag waits as long as another's put may take, told by his own") {
  struct Case {
    std::chrono::milliseconds own;
    double random;
    std::chrono::milliseconds wait;
  };
  for (const auto& [own, random, wait] : {Case{0ms, 0, 100ms}, Case{5ms, 0.5, 150ms}, Case{25ms, 0, 100ms},
                                          Case{100ms, 0, 400ms}, Case{100ms, 0.25, 500ms}, Case{1h, 0, 10s}}) {
    CAPTURE(own.count(), random);
    CHECK(oci::settling_time(own, random) == wait);
  }
}

TEST_CASE("one wait is for all that was written since the last, and as long as the slowest asks for") {
  std::chrono::steady_clock::time_point now{};
  std::vector<std::chrono::milliseconds> slept;
  oci::Settling settling{{[&] { return now; }, [&](auto time) { slept.push_back(time); }, [] { return 0.0; }}};
  const auto write = [&](std::chrono::milliseconds takes, bool put) {
    return settling.time([&] {
      now += takes;
      return put;
    });
  };
  settling.wait();
  CHECK(slept.empty());  // nothing was put
  CHECK_FALSE(write(3s, false));
  settling.wait();
  CHECK(slept.empty());
  CHECK(write(10ms, true));
  CHECK(write(300ms, true));
  CHECK(write(20ms, true));
  settling.wait();
  settling.wait();
  CHECK(slept == std::vector<std::chrono::milliseconds>{1200ms});
  CHECK_THROWS_AS(settling.time([]() -> bool { throw std::runtime_error{"the answer was lost"}; }), std::runtime_error);
  settling.wait();
  CHECK(slept.size() == 2);  // it may have been done
}
