#include "cluster/receipt.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

/// An object of which those fields are ours.
json::Value object(const std::string& spec, const std::string& fields) {
  return json::parse(R"({"metadata":{"managedFields":[{"manager":"capsule-loop","operation":"Apply","fieldsV1":)" +
                         fields + R"(}]},"spec":)" + spec + "}",
                     "object");
}

const std::string fields = R"({"f:spec":{"f:capsule":{},"f:proofPolicy":{"f:required":{}}}})";
const std::string spec = R"({"capsule":{"image":"x"},"proofPolicy":{"required":true}})";

struct Left {
  json::Value there = object(spec, fields);
  json::Value one = object("{}", R"({"f:spec":{}})");
  json::Value other = object("{}", "{}");
  std::string noted = receipt("asked", there, {&one, &other, nullptr});
  [[nodiscard]] std::string change(const json::Value& now, const Parts& parts) const {
    return changed_since(noted, "asked", now, parts);
  }
};

}  // namespace

TEST_CASE("which part was changed is told by what a deploy noted of each") {
  const Left left;
  const auto& [there, one, other, noted] = left;
  CHECK(left.change(there, {&one, &other, nullptr}).empty());
  CHECK(left.change(there, {&other, &other, nullptr}) == "its Deployment was changed by somebody");
  CHECK(left.change(there, {&one, nullptr, nullptr}) == "its ConfigMap was changed by somebody");
  CHECK(left.change(there, {&one, &one, nullptr}) == "its ConfigMap was changed by somebody");
  CHECK(left.change(there, {&one, &other, &other}) == "its PodDisruptionBudget was changed by somebody");
  CHECK(changed_since(noted, "more", there, {&one, &other, nullptr}) == "it was deployed with other options or images");
  for (const auto* text : {"", "1,2,-", "1,2,3,4,5,6,7"})
    CHECK(changed_since(text, "asked", there, {&one, &other, nullptr}) ==
          "it bears no receipt of this version's deploy");
}

TEST_CASE("a spec that its user, or another manager, has set since is another one; what a proof says is none") {
  const Left left;
  const Parts parts{&left.one, &left.other, nullptr};
  const auto user =
      object(R"({"capsule":{"image":"x"},"proofPolicy":{"required":true},"template":{"spec":{}}})", fields);
  CHECK(left.change(user, parts) == "the spec of its ProofedDeployment is another one than when it was deployed");
  CHECK(has_other_spec(left.noted, user));
  CHECK_FALSE(has_other_spec(left.noted, left.there));
  CHECK_FALSE(has_other_spec("1,2,-", user));
  const auto taken = object(R"({"capsule":{"image":"y"},"proofPolicy":{"required":true}})", R"({"f:spec":{}})");
  CHECK(left.change(taken, parts) == "its ProofedDeployment was changed by somebody");
  const auto proved = object(R"({"capsule":{"image":"x"},"proofPolicy":{"required":true,"utid":"U","proofHash":"h"}})",
                             R"({"f:spec":{"f:capsule":{},"f:proofPolicy":{"f:required":{},"f:utid":{}}}})");
  CHECK(left.change(proved, parts).empty());
}

TEST_CASE("a PodDisruptionBudget is looked for unless a deploy has noted that there is none") {
  const Left left;
  CHECK_FALSE(may_name_budget(left.noted));
  CHECK(may_name_budget(receipt("asked", left.there, {&left.one, &left.other, &left.other})));
  CHECK(may_name_budget(""));
}
