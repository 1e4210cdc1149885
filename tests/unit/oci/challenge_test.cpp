#include "oci/challenge.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "oci/token_scope.hpp"

using namespace capsule;

namespace {

/// "scheme[name=value;…] …" of all challenges.
std::string read(std::initializer_list<const char*> fields) {
  http::Headers headers;
  for (const char* field : fields) headers.add("www-authenticate", field);
  std::string out;
  for (const auto& challenge : oci::challenges_of(headers)) {
    out += (out.empty() ? "" : " ") + challenge.scheme + "[";
    for (const auto& [name, value] : challenge.parameters) out.append(name).append("=").append(value).append(";");
    out += "]";
  }
  return out;
}

http::Request request(http::Method method, const std::string& path) {
  return {.method = method, .url = Url::parse("https://registry.example" + path)};
}

std::set<std::string> scopes(http::Method method, const std::string& path) {
  return oci::scopes_of(request(method, path)).texts();
}

}  // namespace

TEST_CASE("challenges as servers write them") {
  CHECK(
      read(
          {R"(Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push")"}) ==
      "bearer[realm=https://auth.example/token;scope=repository:a/b:pull,push;service=registry.example;]");
  CHECK(read({"Basic realm=\"a \\\"quoted\\\" word\""}) == "basic[realm=a \"quoted\" word;]");
  CHECK(read({"BASIC Realm = x , charset=\"UTF-8\""}) == "basic[charset=UTF-8;realm=x;]");
  CHECK(read({"Negotiate, Bearer realm=\"r\", Basic realm=\"s\""}) == "negotiate[] bearer[realm=r;] basic[realm=s;]");
  CHECK(read({"Negotiate YII+/=, Basic realm=s"}) == "negotiate[] basic[realm=s;]");
  CHECK(read({"Bearer realm=\"r\"", "Basic realm=\"s\""}) == "bearer[realm=r;] basic[realm=s;]");
  CHECK(read({", Basic"}) == "basic[]");
  CHECK(read({""}).empty());
  CHECK(read({}).empty());
}

TEST_CASE("a malformed challenge counts as none, and hides no other field") {
  for (const char* bad : {"Bearer realm=\"open", "Bearer realm=\"x\\", "Bearer realm=a,realm=b", "Bearer realm=a b=c",
                          "=x", "\"Bearer\"", "Bearer realm=\"a\"x", "Bearer ,=a", "Basic@x"}) {
    CAPTURE(bad);
    CHECK(read({bad, "Basic realm=ok"}) == "basic[realm=ok;]");
  }
}

TEST_CASE("the scope of each request") {
  using enum http::Method;
  const std::set<std::string> none;
  const std::set<std::string> pull{"repository:a/b:pull"};
  const std::set<std::string> push{"repository:a/b:pull,push"};
  CHECK(scopes(get, "/v2/") == none);
  CHECK(scopes(get, "/v2/a/b") == none);
  CHECK(scopes(get, "/v2/_catalog") == std::set<std::string>{"registry:catalog:*"});
  for (const char* path : {"/v2/a/b/manifests/1.0", "/v2/a/b/blobs/sha256:00", "/v2/a/b/tags/list",
                           "/v2/a/b/referrers/sha256:00", "/v2/a/b/blobs/uploads/1?_state=x"}) {
    CAPTURE(path);
    CHECK(scopes(get, path) == pull);
    CHECK(scopes(head, path) == pull);
    CHECK(scopes(put, path) == push);
    CHECK(scopes(patch, path) == push);
  }
  CHECK(scopes(post, "/v2/a/b/blobs/uploads/") == push);
  CHECK(scopes(del, "/v2/a/b/manifests/1.0") == std::set<std::string>{"repository:a/b:delete"});
  CHECK(scopes(post, "/v2/a/b/blobs/uploads/?mount=sha256:00&from=a%2Fc") ==
        std::set<std::string>{"repository:a/b:pull,push", "repository:a/c:pull"});
  CHECK(scopes(post, "/v2/a/b/blobs/uploads/?mount=sha256:00&from=a/b") == push);
  CHECK(scopes(get, "/v2/blobs/tags/manifests/1") == std::set<std::string>{"repository:blobs/tags:pull"});
}

TEST_CASE("a token for more serves for less") {
  const oci::Scopes wide{"repository:a:pull,push repository:b:pull"};
  CHECK(wide.cover(oci::Scopes{"repository:a:pull"}));
  CHECK(wide.cover(oci::Scopes{}));
  CHECK(wide.cover(wide));
  CHECK_FALSE(wide.cover(oci::Scopes{"repository:b:push"}));
  CHECK_FALSE(wide.cover(oci::Scopes{"repository:c:pull"}));
  CHECK(oci::Scopes{"repository:host:5000/a:pull,,push x : :pull repository:a"}.texts() ==
        std::set<std::string>{"repository:host:5000/a:pull,push"});
}
