#include "log/progress_share.hpp"

#include <catch2/catch.hpp>

#include "log/progress.hpp"

using namespace capsule;

namespace {

class Counted final : public log::Progress {
 public:
  void begin(std::string_view, std::uint64_t) override { ++begun; }
  void advance(std::uint64_t count) override { done += count; }
  void end() override { ++ended; }
  std::uint64_t done = 0;
  int begun = 0;
  int ended = 0;
};

}  // namespace

TEST_CASE("stretches that share one scale fill it once, in order") {
  Counted whole;
  log::ProgressShare first{whole, 50};
  first.begin("verifying", 1000);
  first.advance(500);
  CHECK(whole.done == 25);
  first.end();
  CHECK(whole.done == 50);
  log::ProgressShare second{whole, 50};
  second.begin("publishing", 10);
  second.advance(9);
  CHECK(whole.done == 95);
  second.advance(100);  // more than it was said to be
  CHECK(whole.done == 100);
  second.end();
  CHECK(whole.done == 100);
  CHECK((whole.begun == 0 && whole.ended == 0));
}

TEST_CASE("a share that begins again goes on where it was, and one without a total counts at its end") {
  Counted whole;
  log::ProgressShare share{whole, 60};
  share.begin("reading", 0);
  share.advance(7);
  CHECK(whole.done == 0);
  share.begin("writing", 6);
  share.advance(3);
  CHECK(whole.done == 30);
  share.begin("once more", 6);
  share.advance(3);
  CHECK(whole.done == 30);
  share.end();
  CHECK(whole.done == 60);
}
