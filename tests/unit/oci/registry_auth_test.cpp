#include "oci/registry_auth.hpp"

#include <catch2/catch.hpp>

#include "core/bytes.hpp"
#include "unit/oci/registry_world.hpp"

using namespace capsule;
using namespace capsule::test;

TEST_CASE("a registry that asks for nothing learns nothing") {
  World world;
  world.network.answer(200, "{}");
  CHECK(world.send(Method::get, "/v2/a/b/manifests/1").status == 200);
  CHECK(world.sent(0) == "-");
  CHECK(world.source->asked.empty());
}

TEST_CASE("a Bearer challenge is answered with a token, which serves again until it is about to expire") {
  World world;
  world.challenge();
  world.give_token("t1", R"(,"expires_in":100)");
  world.network.answer(200, "ok");
  CHECK(world.send(Method::get, "/v2/a/b/manifests/1").body == "ok");
  CHECK(world.sent(0) == "-");
  CHECK(world.asked(1) ==
        "https://auth.example.com/token?x=1&service=registry.example.com&scope=repository%3Aa%2Fb%3Apull");
  CHECK(world.sent(1) == "Basic " + to_base64(as_bytes("user:s3cret-password")));
  CHECK(world.sent(2) == "Bearer t1");
  CHECK(world.source->asked == std::vector<std::string>{"registry.example.com a/b"});

  world.network.answer(200);
  world.send(Method::head, "/v2/a/b/blobs/sha256:00");
  CHECK(world.sent(3) == "Bearer t1");

  SECTION("another scope is another token, which serves for less too") {
    world.give_token("t2", R"(,"expires_in":50)");
    world.network.answer(202);
    world.network.answer(200);
    world.send(Method::post, "/v2/a/b/blobs/uploads/");
    CHECK(holds(world.asked(4), "scope=repository%3Aa%2Fb%3Apull%2Cpush"));
    CHECK(world.sent(5) == "Bearer t2");
    world.send(Method::get, "/v2/a/b/tags/list");
    CHECK(world.sent(6) == "Bearer t2");
  }
  SECTION("what is about to expire is fetched anew before it is sent") {
    world.now += std::chrono::seconds{89};
    world.network.answer(200);
    world.send(Method::get, "/v2/a/b/tags/list");
    CHECK(world.sent(4) == "Bearer t1");
    world.now += std::chrono::seconds{1};
    world.give_token("t3");
    world.network.answer(200);
    world.send(Method::get, "/v2/a/b/tags/list");
    CHECK(world.sent(6) == "Bearer t3");
  }
  SECTION("what the registry takes no longer is fetched anew, and the request repeated") {
    world.challenge();
    world.give_token("t4");
    world.network.answer(200, "again");
    CHECK(world.send(Method::get, "/v2/a/b/tags/list").body == "again");
    CHECK(world.sent(4) == "Bearer t1");
    CHECK(world.sent(6) == "Bearer t4");
  }
  CHECK(world.network.done());
}

TEST_CASE("a token that expires in mid-upload: the streamed body is opened again") {
  World world;
  world.challenge();
  world.give_token("t1");
  world.network.answer(202);
  world.send(Method::post, "/v2/a/b/blobs/uploads/");
  int opened = 0;
  const auto read_body = [](int status, const http::Headers& headers) {
    return [=](const http::Request& request) -> http::Response {
      StringSink sink{100};
      copy(*request.streamed_body->open(), sink);
      CHECK(sink.text() == "chunk");
      return {status, headers, {}, request.url};
    };
  };
  world.network.answer_with(read_body(401, {{"WWW-Authenticate", bearer_challenge}}));
  world.give_token("t2");
  world.network.answer_with(read_body(202, {}));
  const auto response =
      world.client.send({.method = Method::patch,
                         .url = world.base.with_path("/v2/a/b/blobs/uploads/1"),
                         .streamed_body = http::StreamedBody{5, [&] {
                                                               ++opened;
                                                               return std::make_unique<ViewSource>(as_bytes("chunk"));
                                                             }}});
  CHECK(response.status == 202);
  CHECK(opened == 2);
  CHECK(holds(world.asked(4), "pull%2Cpush"));
}

TEST_CASE("a mount asks for its source too") {
  World world;
  world.challenge();
  world.give_token("t1");
  world.network.answer(200);
  world.send(Method::get, "/v2/a/b/manifests/1");
  world.give_token("t2");
  world.network.answer(201);
  world.send(Method::post, "/v2/a/b/blobs/uploads/?mount=sha256:00&from=a/c");
  CHECK(holds(world.asked(3), "scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Aa%2Fc%3Apull"));
  CHECK(world.sent(4) == "Bearer t2");
}

TEST_CASE("an identity token goes by POST, a registry token as it is") {
  SECTION("identity token") {
    World world{oci::RegistryCredentials{"user", {}, Secret{"s3cret/idt"}, {}, "f"}};
    world.challenge();
    world.network.answer(200, R"({"access_token":"t1"})");
    world.network.answer(200);
    world.send(Method::get, "/v2/a/b/manifests/1");
    const auto& question = world.network.seen().at(1);
    CHECK(question.method == Method::post);
    CHECK(question.url.text() == "https://auth.example.com/token?x=1");
    CHECK_FALSE(question.credentials);
    CHECK(question.body ==
          "grant_type=refresh_token&service=registry.example.com&client_id=capsule-loop&"
          "scope=repository%3Aa%2Fb%3Apull&refresh_token=s3cret%2Fidt");
    CHECK(world.sent(2) == "Bearer t1");
  }
  SECTION("registry token") {
    World world{oci::RegistryCredentials{"", {}, {}, Secret{"s3cret-rt"}, "f"}};
    world.challenge();
    world.network.answer(200);
    world.send(Method::get, "/v2/a/b/manifests/1");
    CHECK(world.sent(1) == "Bearer s3cret-rt");
    world.challenge();
    refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied);
  }
}

TEST_CASE("Basic is sent from the second request on") {
  World world;
  world.challenge("Basic realm=\"x\"");
  world.network.answer(200);
  world.network.answer(200);
  world.send(Method::get, "/v2/a/b/manifests/1");
  world.send(Method::put, "/v2/a/b/manifests/1");
  const auto basic = "Basic " + to_base64(as_bytes("user:s3cret-password"));
  CHECK(world.sent(0) == "-");
  CHECK(world.sent(1) == basic);
  CHECK(world.sent(2) == basic);
  SECTION("and a 401 to it is final") {
    world.challenge("Basic realm=\"x\"");
    CHECK(holds(refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied), "/h/config.json"));
  }
}

TEST_CASE("a 401 that stays says whose credentials were refused, or where none were found") {
  SECTION("refused twice") {
    World world;
    world.challenge();
    world.give_token("t1");
    world.challenge();
    const auto said = refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied);
    CHECK(holds(said, "https://registry.example.com/v2/a/b/manifests/1 answers 401"));
    CHECK(holds(said, "/h/config.json"));
    CHECK(world.network.seen().size() == 3);
  }
  SECTION("nobody") {
    World world{std::nullopt};
    world.challenge("Basic realm=\"x\"");
    CHECK(holds(refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied),
                "no credentials for registry.example.com (looked for in /h/.docker/config.json)"));
  }
  SECTION("nobody gets a token of nobody") {
    World world{std::nullopt};
    world.challenge();
    world.give_token("public");
    world.network.answer(200);
    CHECK(world.send(Method::get, "/v2/a/b/manifests/1").status == 200);
    CHECK(world.sent(1) == "-");
    CHECK(world.sent(2) == "Bearer public");
  }
  SECTION("no way of ours") {
    World world;
    world.challenge("Negotiate");
    refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied);
  }
  SECTION("a token, where a password is asked for") {
    World world{oci::RegistryCredentials{"user", {}, Secret{"s3cret"}, {}, "f"}};
    world.challenge("Basic realm=\"x\"");
    refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied);
  }
  SECTION("a name that Basic cannot carry") {
    World world{oci::RegistryCredentials{"us:er", Secret{"s3cret"}, {}, {}, "f"}};
    world.challenge("Basic realm=\"x\"");
    refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::usage);
  }
}

TEST_CASE("a token server that misbehaves (attacks 9, 25)") {
  World world;
  world.challenge();
  const auto refused = [&](ErrorKind kind) {
    return refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, kind);
  };
  SECTION("refuses") {
    world.network.answer(401, "user:s3cret-password");
    CHECK(holds(refused(ErrorKind::denied), "https://auth.example.com/token answers 401"));
  }
  SECTION("is down") {
    world.network.answer(503, "s3cret-password");
    refused(ErrorKind::unavailable);
  }
  SECTION("redirects") {
    world.network.answer(302, "", {{"Location", "https://auth.example.com/other"}});
    refused(ErrorKind::invalid_input);
    CHECK(world.network.seen().at(1).redirects == http::Redirects::give_back);
  }
  SECTION("gives no token") {
    for (const char* body : {"", "[]", "{}", R"({"token":5})", R"({"token":"s3cret\nX: y"})", R"({"token":""})",
                             R"({"token":"s3cret","expires_in":-1})", R"({"token":"s3cret)"}) {
      CAPTURE(body);
      World other;
      other.challenge();
      other.network.answer(200, body);
      refusal([&] { other.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::invalid_input);
    }
  }
}
