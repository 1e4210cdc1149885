#include "cluster/roll_out.hpp"

#include <catch2/catch.hpp>

#include "cluster/names.hpp"
#include "json/write.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

std::string object(const std::string& fence) {
  const json::Object annotations{{std::string{annotation::fence}, fence}};
  return json::compact(
      json::Object{{"metadata", json::Object{{"name", "x"}, {"resourceVersion", "1"}, {"annotations", annotations}}}});
}

}  // namespace

TEST_CASE("what is put back is what did not come up, not what we could not look at or is another's") {
  const Trouble crashed{ErrorKind::busy, "Crashed", "pod x: container agent ended with exit code 42", true};
  CHECK(is_failed_roll_out(crashed.error(), crashed));
  CHECK(is_failed_roll_out(Error{ErrorKind::timed_out, "no pod was ready"}, std::nullopt));
  CHECK_FALSE(is_failed_roll_out(Error{ErrorKind::busy, "the lease is lost"}, std::nullopt));
  CHECK_FALSE(is_failed_roll_out(Error{ErrorKind::busy, "the lease is lost"}, crashed));
  CHECK_FALSE(is_failed_roll_out(Error{ErrorKind::denied, "cannot watch pods"}, std::nullopt));
  CHECK_FALSE(is_failed_roll_out(Error{ErrorKind::unavailable, "refused"}, std::nullopt));
}

TEST_CASE("who was taken over from puts nothing back and ends no pods") {
  test::FakeCluster cluster;
  auto kube = cluster.client();
  DeployedObject there{kube, "team", "x"};
  cluster.answer(200, object("2"));
  there.read();
  there.take_over(3);
  RollOut roll_out{kube, "team", there};
  cluster.answer(200, object("4"));
  const Error error{ErrorKind::timed_out, "no pod was ready"};
  CHECK(kind_of([&] { roll_out.put_back(error, "TimedOut"); }) == ErrorKind::busy);
  cluster.answer(200, object("4"));
  roll_out.try_to_end_pods();
  for (const auto& request : cluster.http.seen()) CHECK(request.method == http::Method::get);
  CHECK(cluster.http.seen().size() == 3);
}
