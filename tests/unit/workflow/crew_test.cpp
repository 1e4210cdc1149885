#include "workflow/crew.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <stdexcept>

using namespace capsule::workflow;

namespace {

/// Counts who works, and the most that ever did.
struct Meter {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::atomic<int> done = 0;

  void work(std::chrono::microseconds time = std::chrono::microseconds{200}) {
    const int count = ++now;
    for (int seen = most; seen < count && !most.compare_exchange_weak(seen, count);) {
    }
    std::this_thread::sleep_for(time);
    --now;
    ++done;
  }
};

/// A tree of crews, `width` jobs in each, work at its leaves.
void grow(Seats& seats, int width, int depth, Meter& meter) {
  if (depth == 0) {
    meter.work();
    return;
  }
  Seats own{SIZE_MAX};
  Crew crew{{seats, own}};
  for (int i = 0; i < width; ++i) crew.add([&] { grow(seats, width, depth - 1, meter); });
  crew.run();
}

}  // namespace

TEST_CASE("nested crews share their seats, use them all and never dead-lock") {
  for (const int seats : {1, 2, 3, 7}) {
    for (int round = 0; round < 20; ++round) {
      Seats run{static_cast<std::size_t>(seats - 1)};
      Meter meter;
      grow(run, 4, 3, meter);
      CHECK(meter.done == 64);
      CHECK(meter.most <= seats);
      CHECK(meter.most >= std::min(seats, 2));
      int free = 0;
      while (run.try_take()) ++free;
      CHECK(free == seats - 1);
    }
  }
}

TEST_CASE("a template's own seats bound its children, whatever the run has") {
  Seats run{100};
  Seats own{1};
  Meter meter;
  Crew crew{{run, own}};
  for (int i = 0; i < 20; ++i) crew.add([&] { meter.work(); });
  crew.run();
  CHECK(meter.done == 20);
  CHECK(meter.most == 2);
}

TEST_CASE("jobs that a job adds are done too, at once where they can be") {
  Seats run{3};
  Seats own{SIZE_MAX};
  Meter meter;
  Crew crew{{run, own}};
  crew.add([&] {
    for (int i = 0; i < 50; ++i) crew.add([&] { meter.work(std::chrono::milliseconds{2}); });
  });
  crew.run();
  CHECK(meter.done == 50);
  CHECK(meter.most == 4);
}

TEST_CASE("after an exception no further job begins, and it is thrown when all have ended") {
  Seats run{1};
  Seats own{SIZE_MAX};
  std::atomic<int> begun = 0;
  Crew crew{{run, own}};
  for (int i = 0; i < 100; ++i) {
    crew.add([&] {
      ++begun;
      crew.add([&] { ++begun; });
      throw std::runtime_error{"no"};
    });
  }
  CHECK_THROWS_WITH(crew.run(), "no");
  CHECK(begun <= 2);
}
