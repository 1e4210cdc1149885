#include "cluster/field_paths.hpp"

#include <catch2/catch.hpp>

#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

json::Value parsed(const std::string& text) {
  return json::parse(text, "text");
}

const FieldPath port{"f:ports", R"(k:{"containerPort":80,"protocol":"TCP"})"};

}  // namespace

TEST_CASE("what is beyond a set is named at the topmost step") {
  const auto than = parsed(R"({"f:a":{"f:b":{}},"f:list":{"k:{\"name\":\"x\"}":{"f:name":{}}}})");
  const auto beyond_it = [&](const std::string& set) { return beyond(parsed(set), than); };
  CHECK(beyond_it(R"({"f:a":{".":{},"f:b":{}},"f:list":{"k:{\"name\":\"x\"}":{}}})").empty());
  CHECK(beyond_it(R"({"f:a":{"f:c":{"f:d":{}}}})") == std::vector<FieldPath>{{"f:a", "f:c"}});
  CHECK(beyond_it(R"({"f:a":{"f:b":{"f:c":{}}}})") == std::vector<FieldPath>{{"f:a", "f:b", "f:c"}});
  CHECK(beyond_it(R"({"f:list":{"k:{\"name\":\"y\"}":{".":{}}}})") ==
        std::vector<FieldPath>{{"f:list", R"(k:{"name":"y"})"}});
  CHECK(beyond_it(R"([])").empty());
  CHECK(beyond(parsed(R"({"f:a":{}})"), parsed("null")).size() == 1);
}

TEST_CASE("what is in a set is taken out of a value, entries in their order") {
  const auto value = parsed(
      R"({"a":{"b":1,"c":2},"l":[{"name":"x","v":1},{"name":"y","v":2},{"name":"z"}],"set":["p","q"],"at":[5,6],"n":3})");
  const auto in = [&](const std::string& set) { return extracted(value, parsed(set)); };
  CHECK(in(R"({"f:a":{"f:b":{}},"f:missing":{}})") == parsed(R"({"a":{"b":1}})"));
  CHECK(in(R"({"f:l":{"k:{\"name\":\"y\"}":{"f:name":{}},"k:{\"name\":\"x\"}":{}}})") ==
        parsed(R"({"l":[{"name":"x","v":1},{"name":"y"}]})"));
  CHECK(in(R"({"f:a":{".":{}},"f:l":{".":{}}})") == parsed(R"({"a":{},"l":[]})"));
  CHECK(in(R"({"f:set":{"v:\"q\"":{}},"f:at":{"i:1":{},"i:7":{},"i:-1":{}}})") == parsed(R"({"set":["q"],"at":[6]})"));
  CHECK(in(R"({"f:l":{"k:not json":{}},"f:n":{"f:x":{}}})") == parsed(R"({"l":[],"n":3})"));
}

TEST_CASE("a path names a field, which can be taken out") {
  auto value = parsed(R"({"ports":[{"containerPort":80,"protocol":"UDP"},{"containerPort":80,"protocol":"TCP"}]})");
  REQUIRE(at_path(value, port) != nullptr);
  CHECK(*at_path(value, {port[0], port[1], "f:protocol"}) == json::Value{"TCP"});
  CHECK(at_path(value, {"f:ports", "f:ports"}) == nullptr);
  CHECK(at_path(value, {"f:ports", "k:{"}) == nullptr);
  erase_at(value, {"f:none", "f:x"});
  erase_at(value, {"f:ports", R"(k:{"containerPort":81})"});
  erase_at(value, port);
  CHECK(value == parsed(R"({"ports":[{"containerPort":80,"protocol":"UDP"}]})"));
  erase_at(value, {"f:ports"});
  CHECK(value == parsed("{}"));
}

TEST_CASE("of a set that is put to another one only what is wanted is taken, and never all for nothing") {
  const auto a = *parsed(R"({"f:a":{}})").if_object();
  const auto b = *parsed(R"({"f:a":{"f:x":{}},"f:b":{"f:y":{}},"f:c":{}})").if_object();
  const auto with = [&](const std::function<bool(const FieldPath&)>& takes) {
    return json::Value{united(a, b, takes)};
  };
  CHECK(with([](const FieldPath&) { return true; }) == json::Value{b});
  CHECK(with([](const FieldPath& path) { return path.back() != "f:y"; }) == parsed(R"({"f:a":{"f:x":{}},"f:c":{}})"));
  CHECK(with([](const FieldPath&) { return false; }) == json::Value{a});
}

TEST_CASE("a path reads as in messages of the API server, but without quotation marks") {
  CHECK(text_of({"f:spec", port[0], port[1], "f:name"}) == "spec.ports[containerPort=80,protocol=TCP].name");
  CHECK(text_of({"f:spec", "f:set", R"(v:"q")"}, 1) == R"(set["q"])");
}
