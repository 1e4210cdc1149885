#include "workflow/failures.hpp"

#include <catch2/catch.hpp>

#include "json/write.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using namespace capsule::workflow;

namespace {

json::Value entry(const std::string& node, const std::string& message,
                  const std::string& finished = "2026-01-01T00:00:00Z") {
  return json::Object{{"displayName", node}, {"message", message}, {"finishedAt", finished}, {"phase", "Failed"}};
}

std::string quoted(const json::Array& entries, int times = 1) {
  auto text = json::compact(json::Value{entries});
  for (int time = 0; time < times; ++time) text = json::compact(json::Value{text});
  return text;
}

}  // namespace

TEST_CASE("a workflow's reason is what the failed pod said, not what stands above it") {
  const json::Array entries{
      entry("capsule-deploy-loop-x", "child 'capsule-deploy-loop-x-1' failed", "2026-01-01T00:00:09Z"),
      entry("verify", "No more retries left", "2026-01-01T00:00:08Z"),
      entry("verify(0)", "main: Error (exit code 11): no trusted key has signed it"),
      entry("[1]", "child 'verify' failed", "2026-01-01T00:00:07Z")};
  for (const int times : {0, 1, 2}) {
    const auto reason = reason_in(quoted(entries, times));
    REQUIRE(reason);
    CHECK(reason->step == "verify");
    CHECK(reason->exit_code == 11);
    CHECK(reason->text == "no trusted key has signed it");
  }
}

TEST_CASE("of several attempts the last is the reason") {
  const auto reason =
      reason_in(quoted({entry("publish(1)", "main: Error (exit code 41): late", "2026-01-01T00:00:05Z"),
                        entry("publish(0)", "main: Error (exit code 40): gone", "2026-01-01T00:00:01Z")}));
  REQUIRE(reason);
  CHECK(reason->exit_code == 41);
}

TEST_CASE("reasons that are no last words") {
  const struct {
    const char* message;
    std::optional<int> code;
    const char* text;
  } cases[]{{"main: OOMKilled (exit code 137)", 137, "main: OOMKilled (exit code 137)"},
            {"Pod was active on the node longer than the specified deadline", std::nullopt,
             "Pod was active on the node longer than the specified deadline"},
            {"main: Error (exit code x): y", std::nullopt, "main: Error (exit code x): y"},
            {"two\nlines", std::nullopt, "two\\x0alines"}};
  for (const auto& [message, code, text] : cases) {
    const auto reason = reason_in(quoted({entry("a", "child 'b' failed"), entry("b(12)", message)}));
    REQUIRE(reason);
    CHECK(reason->step == "b");
    CHECK(reason->exit_code == code);
    CHECK(reason->text == text);
  }
}

TEST_CASE("a node of capsule-run is named by the end of its path") {
  CHECK(reason_in(quoted({entry("verify/verify", "main: Error (exit code 11): no")}))->step == "verify");
  CHECK(reason_in(quoted({entry("a(b)", "main: Error (exit code 11): no")}))->step == "a(b)");
  CHECK(reason_in(quoted({entry(std::string(5000, 'a'), "main: Error (exit code 11): no")}))->step.size() < 300);
}

TEST_CASE("after a success there is none, and what is no list is refused") {
  for (const auto* text : {"", "null", "\"null\"", "[]", "\"[]\""}) CHECK_FALSE(reason_in(text));
  for (const auto* text : {"{}", "x", "[1]", "\"x\""})
    CHECK(kind_of([&] { reason_in(text); }) == ErrorKind::invalid_input);
}
