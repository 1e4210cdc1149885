#include "cluster/index_memory.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "json/parse.hpp"

using namespace capsule;
using namespace capsule::cluster;
using index::HeadId;

namespace {

const std::string registry = "oci://host.example/base";
const HeadId first{1, crypto::sha256("1")};
const HeadId second{2, crypto::sha256("2")};

}  // namespace

TEST_CASE("the head of each registry's index is kept in the status, the last 16 registries, and is never set back") {
  json::Object object;
  CHECK_FALSE(index_seen(json::Value{object}, registry));
  set_index_seen(object, registry, second);
  CHECK(index_seen(json::Value{object}, registry) == second);
  set_index_seen(object, registry, first);
  CHECK(index_seen(json::Value{object}, registry) == second);
  set_index_seen(object, "oci://other.example/base", first);
  CHECK(index_seen(json::Value{object}, registry) == second);
  for (int i = 0; i < 20; ++i) set_index_seen(object, std::to_string(i), first);
  CHECK(json::Value{object}.at_pointer("/status/indexSeen")->if_array()->size() == 16);
  CHECK_FALSE(index_seen(json::Value{object}, registry));
  CHECK(index_seen(json::Value{object}, "19") == first);
}

TEST_CASE("a damaged memory of heads is none, and is written over") {
  for (const std::string text : {R"("x")", R"([1])", R"([{"registry":"oci://host.example/base"}])",
                                 R"([{"registry":"oci://host.example/base","sequence":-1,"digest":"x"}])"}) {
    json::Object object{{"status", json::Object{{"indexSeen", json::parse(text, "t")}}}};
    CHECK_FALSE(index_seen(json::Value{object}, registry));
    set_index_seen(object, registry, first);
    CHECK(index_seen(json::Value{object}, registry) == first);
  }
}

TEST_CASE("it knows what the object has, notes the last head, and says how it is cleared") {
  IndexMemory memory{"", "x"};
  CHECK_FALSE(memory.of(registry, "x"));
  json::Object object{{"metadata", json::Object{{"namespace", "team"}}}};
  memory.note(object);
  CHECK(object.size() == 1);
  set_index_seen(object, registry, first);
  const json::Value there{object};
  memory.know(&there);
  CHECK(memory.of(registry, "x") == first);
  CHECK_FALSE(memory.of("oci://other.example/base", "x"));
  memory.saw(registry, "x", first);
  memory.saw(registry, "x", second);
  memory.note(object);
  CHECK(index_seen(json::Value{object}, registry) == second);
  CHECK(memory.where().find("kubectl patch pd x -n team --subresource=status --type=merge -p "
                            "'{\"status\":{\"indexSeen\":null}}'") != std::string::npos);
}
