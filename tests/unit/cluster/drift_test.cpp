#include "cluster/drift.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

/// A Deployment with two containers of ours and, beside what is ours, that.
json::Value deployment(const std::string& of_spec, const std::string& of_runner, const std::string& more_env,
                       const std::string& more_containers) {
  return json::parse(
      R"({"metadata":{"managedFields":[{"manager":"capsule-loop","operation":"Apply","fieldsV1":{"f:spec":{
      "f:template":{"f:spec":{"f:initContainers":{"k:{\"name\":\"agent\"}":{"f:image":{}}},
      "f:containers":{"k:{\"name\":\"runner\"}":{"f:env":{"k:{\"name\":\"TMPDIR\"}":{}}}}}}}}}]},"spec":{)" +
          of_spec + R"("template":{"spec":{"initContainers":[{"name":"agent"}],"containers":[{"name":"runner")" +
          of_runner + R"(,"env":[{"name":"TMPDIR"})" + more_env + "]}" + more_containers + "]}}}}",
      "deployment");
}

}  // namespace

TEST_CASE("what is ours alone has nothing added") {
  CHECK(additions(deployment("", "", "", "")).empty());
}

TEST_CASE("what somebody added to a Deployment is named, and can be removed one after the other") {
  const auto all = additions(deployment(R"("paused":true,)", R"(,"lifecycle":{})",
                                        R"(,{"name":"A"},{"name":"LD_PRELOAD"})", R"(,{"name":"side"})"));
  REQUIRE(all.size() == 5);
  CHECK(all[0].what == "container side");
  CHECK(all[0].pointer == "/spec/template/spec/containers/1");
  CHECK(all[1].what == "lifecycle of container runner");
  CHECK(all[2].what == "env LD_PRELOAD of container runner");
  CHECK(all[2].pointer == "/spec/template/spec/containers/0/env/2");
  CHECK(all[3].pointer == "/spec/template/spec/containers/0/env/1");
  CHECK(all[4].pointer == "/spec/paused");
}
