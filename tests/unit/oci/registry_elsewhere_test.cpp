#include "oci/registry_auth.hpp"

#include <catch2/catch.hpp>

#include "http/retry.hpp"
#include "oci/registry_origin.hpp"
#include "unit/oci/registry_world.hpp"

using namespace capsule;
using namespace capsule::test;

TEST_CASE("where a realm may be (attack 9)") {
  struct Row {
    const char* registry;
    const char* realm;
    bool allowed;
  };
  for (const auto& [registry, realm, allowed] : std::initializer_list<Row>{
           {"https://registry.example.com", "https://registry.example.com/token", true},
           {"https://registry.example.com", "https://registry.example.com:5001/token", true},
           {"https://registry.example.com", "https://auth.example.com/token", true},
           {"https://registry-1.docker.io", "https://auth.docker.io/token", true},
           {"https://registry.example.com", "https://named.example.org:444/token", true},
           {"https://registry.example.com", "https://named.example.org/token", false},
           {"https://registry.example.com", "https://auth.example.org/token", false},
           {"https://registry.example.com", "http://registry.example.com/token", false},
           {"https://registry.example.com", "http://127.0.0.1/token", false},
           {"https://registry.example.com", "https://169.254.169.254/latest/", false},
           {"https://registry.example.com", "https://localhost/", false},
           {"https://a.co.uk", "https://b.co.uk/token", false},
           {"https://127.0.0.1:5000", "http://127.0.0.1:5001/token", false},
           {"http://127.0.0.1:5000", "http://127.0.0.1:5001/token", true},
           {"http://127.0.0.1:5000", "https://127.0.0.1:5001/token", true},
           {"http://127.0.0.1:5000", "http://10.0.0.1/token", false},
       }) {
    CAPTURE(registry, realm);
    World world{password(), registry, http::HostList{{"named.example.org:444"}}};
    world.challenge((std::string{"Bearer realm=\""} + realm + "\"").c_str());
    if (allowed) {
      world.give_token("t");
      world.network.answer(200);
      CHECK(world.send(Method::get, "/v2/a/b/manifests/1").status == 200);
    } else {
      refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::denied);
      CHECK(world.network.seen().size() == 1);  // nothing went there
    }
  }
  for (const char* realm : {"", "token", "ftp://registry.example.com", "https://u:p@registry.example.com/"}) {
    CAPTURE(realm);
    World world;
    world.challenge((std::string{"Bearer realm=\""} + realm + "\"").c_str());
    refusal([&] { world.send(Method::get, "/v2/a/b/manifests/1"); }, ErrorKind::invalid_input);
  }
}

TEST_CASE("the address behind a realm is held against the registry's own (attack 9)") {
  World world;
  world.network.answer_with([](const http::Request& request) -> http::Response {
    return {401, {{"WWW-Authenticate", bearer_challenge}}, {}, request.url, AddressClass::private_network};
  });
  world.give_token("t");
  world.network.answer(200);
  world.send(Method::get, "/v2/a/b/manifests/1");
  CHECK(world.network.seen().at(1).led_from == AddressClass::private_network);
  CHECK_FALSE(world.network.seen().at(0).led_from);
}

TEST_CASE("another origin gets neither credentials nor an answer to its challenge (attack 10)") {
  SECTION("an upload's Location at an allowed host") {
    World world;
    world.challenge("Basic realm=\"x\"");
    world.network.answer(202);
    world.send(Method::post, "/v2/a/b/blobs/uploads/");
    world.network.answer(201);
    const http::Request put{.method = Method::put,
                            .url = Url::parse("https://uploads.example.com/1?state=x"),
                            .credentials = http::Credentials{"Authorization", Secret{"s3cret"}}};
    CHECK(world.client.send(put).status == 201);
    CHECK(world.sent(2) == "-");
    CHECK(world.network.seen().at(2).led_from == AddressClass::public_internet);
    world.challenge();
    CHECK(world.client.send(put).status == 401);
  }
  SECTION("another port or scheme is another origin") {
    World world{password(), "http://127.0.0.1:5000"};
    world.challenge("Basic realm=\"x\"");
    world.network.answer(200);
    world.send(Method::get, "/v2/a/b/manifests/1");
    for (const char* url : {"http://127.0.0.1:5001/x", "https://127.0.0.1:5000/x"}) {
      world.network.answer(200);
      world.client.send({.url = Url::parse(url)});
      CHECK_FALSE(world.network.seen().back().credentials);
    }
  }
  SECTION("a host that has nothing to do with it") {
    World world;
    for (const char* url : {"https://uploads.example.org/1", "http://registry.example.com/1", "https://10.0.0.1/1"}) {
      refusal([&] { world.client.send({.method = Method::put, .url = Url::parse(url)}); }, ErrorKind::denied);
    }
    CHECK(world.network.seen().empty());
  }
  SECTION("where the registry is, is asked where it is not known yet") {
    World world;
    world.network.answer_with([](const http::Request& request) -> http::Response {
      return {401, {}, {}, request.url, AddressClass::private_network};
    });
    world.network.answer(201);
    world.client.send({.method = Method::put, .url = Url::parse("https://uploads.example.com/1")});
    CHECK(world.asked(0) == "https://registry.example.com/v2/");
    CHECK(world.network.seen().at(1).led_from == AddressClass::private_network);
  }
  SECTION("a challenge from where a redirect led to") {
    World world;
    world.network.answer_with([](const http::Request&) -> http::Response {
      return {401, {{"WWW-Authenticate", bearer_challenge}}, {}, Url::parse("https://cdn.example.org/blob")};
    });
    CHECK(world.send(Method::get, "/v2/a/b/blobs/sha256:00").status == 401);
    CHECK(world.source->asked.empty());
  }
}

TEST_CASE("secrets that a registry echoes are taken out (attack 25)") {
  World world;
  world.challenge();
  world.give_token("t0ken-value");
  world.network.answer(400, "user:s3cret-password t0ken-value");
  const auto response = world.send(Method::put, "/v2/a/b/manifests/1");
  CHECK(response.body == "user:… …");
}

TEST_CASE("how a registry is spoken to: https, unless it is named, or speaks plain http on loopback") {
  test::FakeHttpClient network;
  const auto find = [&](const char* host, const http::HostList& plain = {}) {
    return oci::find_registry(network, host, plain).text();
  };
  const http::TransportError refused{ErrorKind::unavailable, "refused", http::TransportError::Sent::no};
  SECTION("elsewhere nothing is tried") {
    CHECK(find("registry.example.com:5000") == "https://registry.example.com:5000/");
    CHECK(find("docker.io") == "https://registry-1.docker.io/");
    CHECK(find("a.example:5000", http::HostList{{"a.example:5000"}}) == "http://a.example:5000/");
    CHECK(find("a.example", http::HostList{{"b.example"}}) == "https://a.example/");
    CHECK(find("127.0.0.1:5000", http::HostList{{"127.0.0.1"}}) == "http://127.0.0.1:5000/");
    CHECK(network.seen().empty());
  }
  SECTION("loopback speaks https") {
    network.answer(401);
    CHECK(find("localhost:5000") == "https://localhost:5000/");
  }
  SECTION("loopback speaks http") {
    network.fail(refused);
    network.answer(401);
    CHECK(find("127.0.0.1:5000") == "http://127.0.0.1:5000/");
  }
  SECTION("a certificate that is not trusted is no reason to go without") {
    network.fail(Error{ErrorKind::verification_failed, "certificate"});
    CHECK(refusal([&] { find("127.0.0.1:5000"); }, ErrorKind::verification_failed) == "certificate");
  }
  SECTION("nobody there, or a server of https that just failed") {
    network.fail(refused);
    network.answer(400);
    CHECK(refusal([&] { find("127.0.0.1:5000"); }, ErrorKind::unavailable) == "refused");
    network.fail(refused);
    network.fail(refused);
    refusal([&] { find("127.0.0.1:5000"); }, ErrorKind::unavailable);
  }
}
