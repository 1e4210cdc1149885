#include "archive/pipeline.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <stdexcept>
#include <string>

using capsule::archive::Pipeline;

namespace {

/// Sees 0, 1, 2, … in its slots.
struct Counter {
  explicit Counter(std::size_t slots, int end_at) : items(slots), end(end_at) {}
  bool produce(std::size_t slot) {
    if (next == end) return false;
    items[slot] = next++;
    return true;
  }
  std::vector<int> items;
  int end;
  int next = 0;
};

}  // namespace

TEST_CASE("a serial stage sees all items in order, a parallel one all of them, on any number of threads") {
  const auto workers = GENERATE(1U, 2U, 5U);
  const auto slots = GENERATE(1UL, 2UL, 7UL);
  const int count = GENERATE(0, 1, 500);
  Counter counter{slots, count};
  std::atomic<int> parallel_sum = 0;
  std::vector<int> passed(slots, -1);  // the item that the stage before saw, by slot
  std::vector<int> seen;
  bool in_turn = true;
  Pipeline pipeline{slots, [&](std::size_t slot) { return counter.produce(slot); }};
  const auto sum =
      pipeline.add(Pipeline::Order::parallel, [&](std::size_t slot) { parallel_sum += counter.items[slot]; });
  const auto before =
      pipeline.add(Pipeline::Order::serial, [&](std::size_t slot) { passed[slot] = counter.items[slot]; }, {sum});
  pipeline.add(Pipeline::Order::serial,
               [&](std::size_t slot) {
                 in_turn = in_turn && passed[slot] == counter.items[slot];
                 seen.push_back(counter.items[slot]);
               },
               {before});
  pipeline.run(workers);
  CHECK(in_turn);
  REQUIRE(seen.size() == static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
  CHECK(parallel_sum == count * (count - 1) / 2);
}

TEST_CASE("the first failing item's error is thrown, whatever the threads did") {
  for (int round = 0; round < 100; ++round) {
    Counter counter{4, 100};
    std::vector<int> seen;
    Pipeline pipeline{4, [&](std::size_t slot) {
                        if (counter.next == 22) throw std::runtime_error{"produce 22"};
                        return counter.produce(slot);
                      }};
    const auto quick = pipeline.add(Pipeline::Order::parallel, [&](std::size_t slot) {
      if (counter.items[slot] == 21) throw std::runtime_error{"parallel 21"};
    });
    pipeline.add(Pipeline::Order::serial,
                 [&](std::size_t slot) {
                   seen.push_back(counter.items[slot]);
                   if (counter.items[slot] == 20) throw std::runtime_error{"serial 20"};
                 },
                 {quick});
    CHECK_THROWS_WITH(pipeline.run(2), "serial 20");
    CHECK(seen.size() == 21);
  }
}
