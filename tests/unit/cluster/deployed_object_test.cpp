#include "cluster/deployed_object.hpp"

#include <catch2/catch.hpp>

#include "cluster/names.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;
using test::FakeCluster;

namespace {

/// The object as another version, written by the deploy with that fence.
std::string object(const std::string& version, const std::string& fence) {
  const json::Object annotations{{std::string{annotation::fence}, fence}};
  return json::compact(json::Object{
      {"metadata", json::Object{{"name", "x"}, {"resourceVersion", version}, {"annotations", annotations}}}});
}

struct Deployed : FakeCluster {
  kube::Client kube = client();
  DeployedObject object_there{kube, "team", "x"};

  Deployed() {
    answer(200, object("7", "2"));
    object_there.read();
    object_there.take_over(3);
  }
  void apply() { object_there.apply({{"metadata", json::Object{{"name", "x"}}}}, false); }
  [[nodiscard]] std::string sent(std::size_t index, std::string_view pointer) const {
    const auto body = json::parse(http.seen().at(index).body, "body");
    return *body.at_pointer(pointer)->if_string();
  }
  [[nodiscard]] std::string fence_sent(std::size_t index) const {
    const auto body = json::parse(http.seen().at(index).body, "body");
    return *body.at_pointer("/metadata/annotations")->if_object()->find(annotation::fence)->if_string();
  }
};

}  // namespace

TEST_CASE("an apply holds for the version that was read, and is made again where somebody was faster") {
  Deployed cluster;
  cluster.fail(409, "Conflict", "the object has been modified");
  cluster.answer(200, object("8", "3"));
  cluster.answer(200, object("9", "3"));
  cluster.apply();
  CHECK(cluster.sent(1, "/metadata/resourceVersion") == "7");
  CHECK(cluster.fence_sent(1) == "3");
  CHECK(cluster.sent(3, "/metadata/resourceVersion") == "8");
  CHECK(cluster.http.seen().size() == 4);
}

TEST_CASE("a deploy that another one has taken over from applies nothing") {
  Deployed cluster;
  cluster.fail(409, "Conflict", "the object has been modified");
  cluster.answer(200, object("8", "4"));
  CHECK(kind_of([&] { cluster.apply(); }) == ErrorKind::busy);
  CHECK(cluster.http.seen().size() == 3);
}

TEST_CASE("a field of another manager is no reason to apply again") {
  Deployed cluster;
  cluster.answer(409, R"({"kind":"Status","apiVersion":"v1","code":409,"reason":"Conflict","details":{"causes":[)"
                      R"({"reason":"FieldManagerConflict","message":"conflict with \"kubectl\"","field":".spec"}]}})");
  CHECK(kind_of([&] { cluster.apply(); }) == ErrorKind::conflict);
  CHECK(cluster.http.seen().size() == 2);
}

TEST_CASE("whose turn it is, is asked of the cluster") {
  Deployed cluster;
  cluster.answer(200, object("8", "3"));
  cluster.object_there.require_turn();
  cluster.answer(200, object("9", "4"));
  CHECK(kind_of([&] { cluster.object_there.require_turn(); }) == ErrorKind::busy);
  cluster.fail(404, "NotFound", "not found");
  CHECK(kind_of([&] { cluster.object_there.require_turn(); }) == ErrorKind::not_found);
}

TEST_CASE("where the lease was begun anew the number goes on after the highest that is there") {
  Deployed cluster;
  cluster.object_there.take_over(1, 3);
  CHECK(cluster.object_there.fence() == 4);
  cluster.object_there.take_over(1, 99'999);
  CHECK(cluster.object_there.fence() == 100'000);
  cluster.object_there.take_over(8, 5);
  CHECK(cluster.object_there.fence() == 8);
}

TEST_CASE("an object that has come in the place of ours is another deploy's, however low its number") {
  FakeCluster cluster;
  kube::Client kube = cluster.client();
  const auto with_uid = [](const std::string& uid, const std::string& fence) {
    const json::Object annotations{{std::string{annotation::fence}, fence}};
    return json::compact(json::Object{
        {"metadata",
         json::Object{{"name", "x"}, {"uid", uid}, {"resourceVersion", "7"}, {"annotations", annotations}}}});
  };
  DeployedObject object{kube, "team", "x"};
  cluster.answer(200, with_uid("u-1", "5"));
  object.read();
  object.take_over(5);
  CHECK(object.fence() == 6);  // 5 is of who has written it: it is no new number that a new lease has
  const std::string conflict = "the UID in the precondition does not match the UID in record";
  cluster.fail(409, "Conflict", conflict);
  cluster.answer(200, with_uid("u-2", "1"));
  CHECK(kind_of([&] {
          object.change_status([](json::Object& now) { now.set("status", json::Object{{"a", 1}}); });
        }) == ErrorKind::busy);
  cluster.answer(200, with_uid("u-2", "1"));
  CHECK(kind_of([&] { object.require_turn(); }) == ErrorKind::busy);
}
