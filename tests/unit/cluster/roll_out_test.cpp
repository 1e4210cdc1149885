#include "cluster/roll_out.hpp"

#include <catch2/catch.hpp>

#include "cluster/names.hpp"
#include "cluster/refusal.hpp"
#include "json/write.hpp"
#include "kube/status.hpp"
#include "support/error_kind.hpp"
#include "support/sample_package.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

std::string object(const std::string& fence) {
  const json::Object annotations{{std::string{annotation::fence}, fence}};
  return json::compact(
      json::Object{{"metadata", json::Object{{"name", "x"}, {"resourceVersion", "1"}, {"annotations", annotations}}}});
}

/// A deployment that is ours, by the fencing number 3.
struct TakenOver {
  test::FakeCluster cluster{};
  kube::Client kube = cluster.client();
  DeployedObject there{kube, "team", "x"};
  sample::Package package{};
  VerifiedCapsule capsule = sample::verify(package.signed_package(), package.key());
  ClusterCheck check{};
  RollOut roll_out{kube, there, {}, {capsule, check, {}, {}, "oci://registry/x"}};

  TakenOver() {
    cluster.answer(200, object("2"));
    there.read();
    there.take_over(3);
  }
};

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
  TakenOver ours;
  auto& cluster = ours.cluster;
  cluster.answer(200, object("4"));
  const Error error{ErrorKind::timed_out, "no pod was ready"};
  CHECK(kind_of([&] { ours.roll_out.put_back(error, "TimedOut"); }) == ErrorKind::busy);
  cluster.answer(200, object("4"));
  ours.roll_out.try_to_end_pods();
  for (const auto& request : cluster.http.seen()) CHECK(request.method == http::Method::get);
  CHECK(cluster.http.seen().size() == 3);
}

TEST_CASE("the first error counts, whatever keeps it from being written down") {
  TakenOver ours;
  auto& cluster = ours.cluster;
  cluster.answer(200, object("2"));
  cluster.fail(403, "Forbidden", "no events for you");
  cluster.fail(403, "Forbidden", "no status for you");
  ours.roll_out.put_back(Error{ErrorKind::unavailable, "exceeded quota"}, "Quota");
  CHECK(cluster.http.seen().size() == 4);
}

TEST_CASE("a refusal is what would be refused again: a right, a quota, a field; not who was faster or what is away") {
  const auto answer = [](int code, const std::string& message) {
    return kube::api_error({.code = code, .message = message}, "apply x", "me");
  };
  CHECK(refusal_behind(answer(403, "is forbidden: exceeded quota: q")) == "Quota");
  CHECK(answer(403, "is forbidden: exceeded quota: q").kind() == ErrorKind::unavailable);
  CHECK(refusal_behind(answer(403, "is forbidden")) == "Refused");
  CHECK(refusal_behind(answer(422, "is invalid")) == "Refused");
  CHECK(refusal_behind(Error{ErrorKind::unmet_requirement, "no image volumes"}) == "NoImageVolumes");
  CHECK(refusal_behind(Error{ErrorKind::conflict, "a field of somebody"}) == "Conflict");
  for (const int code : {404, 409, 429, 500, 503}) CHECK(refusal_behind(answer(code, "no")).empty());
}
