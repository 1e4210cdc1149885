#include <catch2/catch.hpp>

#include "kube/client.hpp"
#include "kube/event_stream.hpp"
#include "support/error_kind.hpp"
#include "unit/kube/fake_cluster.hpp"

using namespace capsule;
using namespace capsule::kube;
using namespace std::chrono_literals;
using test::FakeCluster;

namespace {

std::string event(const std::string& type, const std::string& name, const std::string& version) {
  return R"({"type":")" + type + R"(","object":{"metadata":{"name":")" + name + R"(","resourceVersion":")" + version +
         "\"}}}\n";
}

constexpr const char* gone =
    R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired","message":"too old"}})"
    "\n";

/// What a handler was told, in a few letters; stops after `limit`.
struct Told {
  std::vector<std::string> events;
  std::size_t limit = 100;

  std::function<Flow(const Event&)> handler() {
    return [this](const Event& event) {
      static constexpr std::array<const char*, 4> words{"listed", "added", "modified", "deleted"};
      const std::string word = words.at(static_cast<std::size_t>(event.kind));
      events.push_back(event.kind == EventKind::listed
                           ? word + " " + std::to_string(event.list.items.size())
                           : word + " " + *event.object.at_pointer("/metadata/name")->if_string());
      return events.size() < limit ? Flow::go_on : Flow::stop;
    };
  }
};

struct Watched : FakeCluster {
  Client kube = client();
  Told told;

  void list(const std::string& items, const std::string& version) {
    answer(200, R"({"metadata":{"resourceVersion":")" + version + R"("},"items":[)" + items + "]}");
  }
  WatchEnd watch(std::size_t limit, WatchOptions options = {}) {
    told.limit = limit;
    return kube.watch(resources::pods, "team", options, told.handler());
  }
  [[nodiscard]] bool asked_from(std::size_t index, const std::string& version) const {
    return asked(index).find("watch=true&resourceVersion=" + version + "&allowWatchBookmarks=true") !=
           std::string::npos;
  }
};

}  // namespace

TEST_CASE("a stream is cut into lines, and what follows the last end is not one") {
  std::vector<std::string> lines;
  LineSplitter splitter{[&](std::string_view line) { lines.emplace_back(line); }, 10};
  for (const std::string piece : {"a", "b\nc", "\n\n", "de\nfg\nhalf"}) splitter.write(as_bytes(piece));
  CHECK(lines == std::vector<std::string>{"ab", "c", "de", "fg"});
  CHECK(kind_of([&] { splitter.write(as_bytes("more than ten")); }) == ErrorKind::invalid_input);
  for (const auto* line : {"", "{", "[]", "{}", R"({"type":1,"object":{}})", R"({"type":"ADDED","object":[]})"})
    CHECK(kind_of([&] { read_watch_event(line); }) == ErrorKind::unavailable);
}

TEST_CASE("a watch begins with all that there is and goes on from there") {
  Watched cluster;
  cluster.list(R"({"a":1},{"a":2})", "7");
  cluster.answer(200, event("ADDED", "a", "8") + event("MODIFIED", "a", "9") + event("DELETED", "a", "10"));
  CHECK(cluster.watch(4) == WatchEnd::stopped);
  CHECK(cluster.told.events == std::vector<std::string>{"listed 2", "added a", "modified a", "deleted a"});
  CHECK(cluster.asked_from(1, "7"));
}

TEST_CASE("after the end of a connection it goes on from the last version, a bookmark's too") {
  Watched cluster;
  cluster.answer(200, event("ADDED", "a", "8") + R"({"type":"ADDED","obj)");  // cut in mid-line
  cluster.answer(200, event("ADDED", "b", "9") + event("BOOKMARK", "", "20"));
  cluster.http.fail(http::TransportError{ErrorKind::unavailable, "reset", http::TransportError::Sent::maybe});
  cluster.answer(200, event("ADDED", "c", "21") + "garbage\n");
  cluster.answer(200, event("ADDED", "d", "22"));
  CHECK(cluster.watch(4, {.from = "7"}) == WatchEnd::stopped);
  CHECK(cluster.told.events == std::vector<std::string>{"added a", "added b", "added c", "added d"});
  CHECK(cluster.asked_from(1, "8"));
  CHECK(cluster.asked_from(2, "20"));
  CHECK(cluster.asked_from(3, "20"));
  CHECK(cluster.asked_from(4, "21"));
}

TEST_CASE("410 Gone, as an event or as an answer, begins anew with a list") {
  Watched cluster;
  cluster.answer(200, event("ADDED", "a", "8") + gone);
  cluster.list(R"({"a":1})", "30");
  cluster.fail(410, "Expired", "too old");
  cluster.list("", "40");
  cluster.answer(200, event("ADDED", "b", "41"));
  CHECK(cluster.watch(4, {.from = "7"}) == WatchEnd::stopped);
  CHECK(cluster.told.events == std::vector<std::string>{"added a", "listed 1", "listed 0", "added b"});
  CHECK(cluster.asked_from(4, "40"));
}

TEST_CASE("an apiserver that is away is waited for, but not longer than the outage that is borne") {
  Watched cluster;
  const http::TransportError refused{ErrorKind::unavailable, "refused", http::TransportError::Sent::no};
  for (int i = 0; i < 3; ++i) cluster.http.fail(refused);
  cluster.answer(429, "{}", {{"Retry-After", "17"}});
  cluster.answer(200, event("ADDED", "a", "8"));
  int waits = 0;
  CHECK(cluster.watch(1, {.from = "7", .on_wait = [&] { ++waits; }}) == WatchEnd::stopped);
  CHECK(cluster.time.now.time_since_epoch() >= 17s);
  CHECK(waits >= 17);  // whoever waits with us is called meanwhile
  for (int i = 0; i < 100; ++i) cluster.http.fail(refused);
  CHECK(kind_of([&] { cluster.watch(9, {.from = "7", .outage = 20s}); }) == ErrorKind::unavailable);
  // A server that ends each watch at once, without a word, is away as well.
  Watched closing;
  for (int i = 0; i < 100; ++i) closing.answer(200, "");
  CHECK(kind_of([&] { closing.watch(9, {.from = "7", .outage = 20s}); }) == ErrorKind::unavailable);
}

TEST_CASE("whoever waits with a watch is called while its list is tried again, too") {
  Watched cluster;
  cluster.answer(429, "{}", {{"Retry-After", "9"}});
  cluster.list("", "7");
  cluster.answer(200, event("ADDED", "a", "8"));
  int waits = 0;
  CHECK(cluster.watch(2, {.on_wait = [&] { ++waits; }}) == WatchEnd::stopped);
  CHECK(waits >= 9);
}

TEST_CASE("who may not watch is told at once") {
  Watched cluster;
  cluster.fail(403, "Forbidden", "no");
  CHECK(kind_of([&] { cluster.watch(9, {.from = "7"}); }) == ErrorKind::denied);
  cluster.answer(200, R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":403,"message":"no"}})"
                      "\n");
  CHECK(kind_of([&] { cluster.watch(9, {.from = "7"}); }) == ErrorKind::denied);
  CHECK(cluster.http.done());
}

TEST_CASE("a watch ends with its time, and with what its caller throws") {
  Watched cluster;
  for (int i = 0; i < 100; ++i)
    cluster.http.fail(http::TransportError{ErrorKind::unavailable, "refused", http::TransportError::Sent::no});
  CHECK(cluster.watch(9, {.from = "7", .time_limit = 10s}) == WatchEnd::timed_out);
  CHECK(cluster.time.now.time_since_epoch() < 12s);
  const auto lost = [] { throw Error{ErrorKind::unavailable, "mine"}; };
  CHECK(kind_of([&] { cluster.watch(9, {.from = "7", .on_wait = lost}); }) == ErrorKind::unavailable);
  Watched other;
  other.answer(200, event("ADDED", "a", "8"));
  const auto handler = [](const Event&) -> Flow { throw Error{ErrorKind::unavailable, "of the handler"}; };
  CHECK_THROWS_WITH(other.kube.watch(resources::pods, "team", {.from = "7"}, handler), "of the handler");
}
