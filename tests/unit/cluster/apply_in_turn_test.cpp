#include "cluster/apply_in_turn.hpp"

#include <catch2/catch.hpp>

#include "cluster/names.hpp"
#include "cluster/objects.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

json::Value object(const std::string& version, const std::string& fence) {
  return json::Object{
      {"metadata", json::Object{{"name", "x"},
                                {"uid", "u"},
                                {"resourceVersion", version},
                                {"annotations", json::Object{{std::string{annotation::fence}, fence}}}}}};
}

struct Applying : test::FakeCluster {
  kube::Client kube = client();

  void read_again(const std::string& version, const std::string& fence) {
    fail(409, "Conflict", "the object has been modified");
    answer(200, json::compact(object(version, fence)));
  }
  json::Value apply(const std::optional<json::Value>& there) {
    return apply_in_turn(kube, {kube::resources::deployments, "team", "x"}, {{"metadata", json::Object{{"name", "x"}}}},
                         3, there, false);
  }
  /// "resourceVersion uid fence" of what was sent.
  [[nodiscard]] std::string sent(std::size_t index) const {
    const auto body = json::parse(http.seen().at(index).body, "body");
    const auto text = [&](const std::string& pointer) {
      const auto* found = body.at_pointer(pointer);
      return found == nullptr ? std::string{"-"} : *found->if_string();
    };
    return text("/metadata/resourceVersion") + " " + text("/metadata/uid") + " " + std::to_string(fence_of(body));
  }
};

}  // namespace

TEST_CASE("what was read is what an apply holds for, by uid and version") {
  Applying cluster;
  cluster.read_again("8", "3");
  cluster.answer(200, json::compact(object("9", "3")));
  CHECK(fence_of(cluster.apply(object("7", "2"))) == 3);
  CHECK(cluster.sent(0) == "7 u 3");
  CHECK(cluster.sent(2) == "8 u 3");
}

TEST_CASE("what was not there is made only if it still is not") {
  Applying cluster;
  cluster.answer(201, json::compact(object("5", "3")));
  cluster.apply({});
  CHECK(cluster.sent(0) == "1 - 3");
  cluster.read_again("6", "4");
  CHECK(kind_of([&] { cluster.apply({}); }) == ErrorKind::busy);
  CHECK(cluster.http.seen().size() == 3);
}

TEST_CASE("what a later deploy wrote is not written over, and what was removed is not made anew") {
  Applying cluster;
  CHECK(kind_of([&] { cluster.apply(object("7", "4")); }) == ErrorKind::busy);
  CHECK(cluster.http.seen().empty());
  cluster.fail(409, "Conflict", "uid mismatch: no existing object was found");
  cluster.fail(404, "NotFound", "not found");
  CHECK(kind_of([&] { cluster.apply(object("7", "3")); }) == ErrorKind::not_found);
}

TEST_CASE("a number that is none counts as none") {
  CHECK(fence_of(object("1", "12")) == 12);
  CHECK(fence_of(object("1", "-1")) == 0);
  CHECK(fence_of(object("1", "1234567890123456789")) == 0);
  CHECK(fence_of(json::Object{}) == 0);
}

TEST_CASE("a field that somebody else has set is a conflict in one line that says the way out") {
  Applying cluster;
  cluster.answer(409, R"({"kind":"Status","apiVersion":"v1","code":409,"reason":"Conflict",
      "message":"Apply failed with 2 conflicts: conflicts with \"mine\" using v1:\n- .spec.a\n- .spec.b","details":{"name":"x",
      "causes":[{"reason":"FieldManagerConflict","message":"conflict with \"mine\"","field":".spec.a"}]}})");
  try {
    cluster.apply(object("7", "3"));
    FAIL("a conflict is wanted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::conflict);
    CHECK_THAT(error.message(), Catch::EndsWith(R"(conflicts with "mine" using v1: .spec.a; .spec.b )"
                                                "(--force-conflicts takes these fields over)"));
  }
  CHECK(cluster.http.seen().size() == 1);
}

TEST_CASE("what has come in the place of ours, or is of another object, is left alone however low its number") {
  Applying cluster;
  auto another = object("9", "1");
  auto& metadata = *another.if_object()->find("metadata")->if_object();
  metadata.set("uid", "u-2");
  cluster.fail(409, "Conflict", "uid mismatch");
  cluster.answer(200, json::compact(another));
  CHECK(kind_of([&] { cluster.apply(object("7", "3")); }) == ErrorKind::busy);

  const auto owned_by = [](const std::string& uid) { return json::Array{owner_reference({"x", uid})}; };
  metadata.set("ownerReferences", owned_by("object-2"));
  const json::Object wanted{{"metadata", json::Object{{"name", "x"}, {"ownerReferences", owned_by("object-1")}}}};
  cluster.fail(409, "Conflict", "exists");
  cluster.answer(200, json::compact(another));
  CHECK(kind_of([&] {
          apply_in_turn(cluster.kube, {kube::resources::deployments, "team", "x"}, wanted, 3, std::nullopt, false);
        }) == ErrorKind::busy);
  CHECK(cluster.http.seen().size() == 4);
}
