#include "deploy/replay.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"
#include "support/sample_package.hpp"

using namespace capsule;
using namespace capsule::deploy;

namespace {

/// Gives a result of its own, and remembers what it was asked.
class FakeTarget {
 public:
  json::Value run(const RunRequest& request) {
    asked.push_back(request);
    return result;
  }

  json::Value result;
  std::vector<RunRequest> asked;
};

Replayed replay_with(FakeTarget& target, const std::string& record, const sample::Files& files = sample::files()) {
  const sample::Package package{files};
  const auto capsule = sample::verify(package.signed_package(), package.key());
  const auto run = [&](const RunRequest& request) { return target.run(request); };
  return replay(run, capsule, json::parse(record, "record"));
}

const std::string record = R"({"parameters":{"a":1},"seed":7,"budget":9,"result":{"score":0.5,"measured":{"ms":3}}})";

}  // namespace

TEST_CASE("a second run is asked for the same, and compared but for what it measured") {
  FakeTarget target;
  target.result = json::parse(R"({"measured":{"ms":4},"score":0.50})", "result");
  CHECK(replay_with(target, record).is_same());
  REQUIRE(target.asked.size() == 1);
  CHECK(target.asked[0].seed == 7);
  CHECK(target.asked[0].budget == 9);
  CHECK(target.asked[0].parameters == json::Value{json::Object{{"a", 1}}});
  target.result = json::parse(R"({"score":0.500001})", "result");
  CHECK_FALSE(replay_with(target, record).is_same());
}

TEST_CASE("a record that contradicts itself or lacks something is no base for a second run") {
  FakeTarget target;
  target.result = json::Object{};
  for (const std::string bad :
       {"{}", R"({"parameters":{},"seed":-1,"budget":0,"result":{}})", R"({"parameters":{},"seed":1,"budget":0})",
        R"({"parameters":[],"seed":1,"budget":0,"result":{}})",
        R"({"parameters":{},"seed":1,"budget":0,"result":{},"output_digest":"sha256:00"})"}) {
    CAPTURE(bad);
    try {
      static_cast<void>(replay_with(target, bad));
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::verification_failed);
    }
  }
  CHECK(target.asked.empty());
}

TEST_CASE("a capsule that says it is not deterministic is not run again") {
  auto files = sample::files();
  files["capsule.json"] = R"({"name":"sample","version":"1.2.3","entrypoint":"expansion/run.sh",)"
                          R"("annotations":{"ai.industriverse.capsule.deterministic":"false"}})";
  FakeTarget target;
  CHECK_THROWS_WITH(replay_with(target, record, files), Catch::Contains("deterministic"));
}
