#include <catch2/catch.hpp>

#include "http/curl_client.hpp"
#include "http/host_list.hpp"
#include "http/redirect.hpp"
#include "http/registrable_domain.hpp"

using namespace capsule;

TEST_CASE("hosts that the user named, with a port or without") {
  const http::HostList hosts{
      {"Registry.example:5000", "other.example", "[::1]:5000", "[fd00::1]", "FD00:0::2", "10.0.0.1"}};
  for (const char* named :
       {"http://registry.example:5000/v2/", "http://other.example", "http://other.example:81", "https://other.example",
        "http://[::1]:5000", "http://[fd00::1]:7", "http://[fd00::2]:9", "http://10.0.0.1:80"}) {
    CAPTURE(named);
    CHECK(hosts.names(Url::parse(named)));
  }
  for (const char* stranger : {"http://registry.example", "http://registry.example:5001", "http://a.other.example",
                               "http://other.example.org", "http://[::1]:5001", "http://10.0.0.10"}) {
    CAPTURE(stranger);
    CHECK_FALSE(hosts.names(Url::parse(stranger)));
  }
  for (const char* bad : {"", "a b", "https://a.example", "a.example/", "a.example:", "a.example:0", "a.example:65536",
                          "a.example:x", "u@a.example", "[::1", "::x", "::1]:5000", "*", "*.example", ".example"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(http::HostList{{bad}}, Error);
  }
}

TEST_CASE("what lies in one registered domain") {
  struct Row {
    const char* left;
    const char* right;
    bool same;
  };
  for (const auto& [left, right, same] : std::initializer_list<Row>{
           {"registry.example.com", "registry.example.com", true},
           {"registry.example.com", "auth.example.com", true},
           {"example.com", "auth.eu.example.com", true},
           {"docker.io", "auth.docker.io", true},
           {"registry-1.docker.io", "auth.docker.io", true},
           {"a.example.co.uk", "b.example.co.uk", true},
           {"registry.svc.cluster.local", "auth.cluster.local", true},
           {"registry.example.com", "registry.example.org", false},
           {"example.com", "notexample.com", false},
           {"example.com", "example.com.evil.org", false},
           {"a.co.uk", "b.co.uk", false},
           {"co.uk", "a.co.uk", false},
           {"com", "example.com", false},
           {"me.github.io", "you.github.io", false},
           {"registry", "auth", false},
           {"localhost", "a.localhost", false},
           {"10.0.0.1", "10.0.0.1", true},
           {"10.0.0.1", "11.0.0.1", false},
           {"10.0.0.1", "0.1", false},
           {"fd00::1", "fd00::2", false},
           {"auth.example.com.", "registry.example.com", false},
       }) {
    CAPTURE(left, right);
    CHECK(http::same_registrable_domain(left, right) == same);
    CHECK(http::same_registrable_domain(right, left) == same);
  }
}

TEST_CASE("plain http beyond loopback is for named hosts, also after a redirect") {
  const http::HostList named{{"a.example:5000"}};
  CHECK_NOTHROW(http::check_scheme(Url::parse("http://a.example:5000/v2/"), named));
  CHECK_THROWS_AS(http::check_scheme(Url::parse("http://a.example/"), named), Error);
  const http::Request request{.url = Url::parse("http://a.example:5000/x")};
  const auto to = [&](const char* location) {
    return http::redirected(request, {307, {{"Location", location}}, {}, request.url}, 0, named).url.text();
  };
  CHECK(to("/y") == "http://a.example:5000/y");
  CHECK(to("https://b.example/y") == "https://b.example/y");
  CHECK_THROWS_AS(to("http://b.example/y"), Error);
  const http::Request secure{.url = Url::parse("https://a.example:5000/x")};
  CHECK_THROWS_AS(http::redirected(secure, {307, {{"Location", "http://a.example:5000/y"}}, {}, secure.url}, 0, named),
                  Error);
}

namespace {

ErrorKind refusal(http::CurlClient& client, const http::Request& request) {
  try {
    client.send(request);
  } catch (const Error& error) {
    CAPTURE(error.message());
    return error.kind();
  }
  FAIL("it was answered");
  return {};
}

}  // namespace

TEST_CASE("whoever names a URL cannot lead its client inwards, whatever its name resolves to") {
  http::CurlClient client;
  http::Request request{.url = Url::parse("http://localhost:1/")};
  CHECK(refusal(client, request) == ErrorKind::unavailable);  // nobody listens there
  for (const auto origin :
       {http::AddressClass::public_internet, http::AddressClass::private_network, http::AddressClass::link_local}) {
    request.led_from = origin;
    CHECK(refusal(client, request) == ErrorKind::denied);
  }
  request.led_from = http::AddressClass::loopback;
  CHECK(refusal(client, request) == ErrorKind::unavailable);
}

TEST_CASE("beyond loopback only a named host is asked over plain http") {
  const http::Request plain{.url = Url::parse("http://192.0.2.1:5000/")};
  http::CurlClient strict;
  CHECK(refusal(strict, plain) == ErrorKind::usage);
  http::CurlLimits limits;
  limits.plain_http.add("192.0.2.1:5000");
  limits.connect = std::chrono::milliseconds{50};
  http::CurlClient named{limits};
  CHECK(retry_helps(refusal(named, plain)));  // it tried
}
