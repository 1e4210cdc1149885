#include "assessor.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "json/parse.hpp"

using namespace capsule;
using proof_service::Assessor;

namespace {

/// All boxes of a bisection that is `depth` deep.
std::string whole_tree(int depth) {
  if (depth == 0) return ".";
  const auto half = whole_tree(depth - 1);
  return "a" + half + half;
}

json::Array evidence_of(int depth) {
  const auto piece = json::parse(R"({"type":"mathematical_proof","variables":{"x":{"min":0,"max":1}},"definitions":{},)"
                                 R"("claims":[{"name":"c","type":"forall","left":"x","relation":"<=","right":2}],)"
                                 R"("certificates":[{"claim":"c","type":"bisection","tree":")" +
                                     whole_tree(depth) + R"("}]})",
                                 "evidence");
  return {piece};
}

}  // namespace

TEST_CASE("one piece of long work at a time; who comes meanwhile is told so, and nothing is worked out twice") {
  Assessor assessor;
  const auto costly = evidence_of(18);
  const auto cheap = evidence_of(1);
  std::atomic<bool> done = false;
  std::chrono::milliseconds took{};
  std::thread first{[&] {
    const auto began = std::chrono::steady_clock::now();
    CHECK(assessor.assess(costly, {}, std::chrono::seconds{60})->is_proven());
    took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    done = true;
  }};
  bool refused = false;
  while (!done) refused = !assessor.assess(cheap, {}, std::chrono::milliseconds{0}) || refused;
  first.join();
  CHECK(refused);
  CHECK(assessor.assess(cheap, {})->is_proven());
  CHECK_FALSE(assessor.assess(cheap, {"sim_alignment"})->is_valid());

  const auto began = std::chrono::steady_clock::now();
  CHECK(assessor.assess(costly, {})->is_proven());
  CHECK(std::chrono::steady_clock::now() - began < took / 2 + std::chrono::milliseconds{1});
}
