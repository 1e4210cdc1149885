#include <catch2/catch.hpp>
#include <map>

#include "http/address.hpp"
#include "http/proxy.hpp"
#include "http/redirect.hpp"
#include "http/transfer.hpp"

using namespace capsule;

TEST_CASE("where an address leads") {
  using Class = http::AddressClass;
  const std::map<std::string, Class> table{
      {"8.8.8.8", Class::public_internet},
      {"172.32.0.1", Class::public_internet},
      {"100.128.0.1", Class::public_internet},
      {"2606:4700::1111", Class::public_internet},
      {"10.0.0.1", Class::private_network},
      {"172.16.0.1", Class::private_network},
      {"172.31.255.255", Class::private_network},
      {"192.168.1.1", Class::private_network},
      {"100.64.0.1", Class::private_network},
      {"198.18.0.1", Class::private_network},
      {"224.0.0.1", Class::private_network},
      {"255.255.255.255", Class::private_network},
      {"fd00::1", Class::private_network},
      {"ff02::1", Class::private_network},
      {"::5", Class::private_network},
      {"2001:db8::1", Class::private_network},
      {"2001:0:4136:e378:8000:63bf:3fff:fdd2", Class::private_network},
      {"no address", Class::private_network},
      {"169.254.169.254", Class::link_local},
      {"fe80::1", Class::link_local},
      {"::ffff:169.254.169.254", Class::link_local},
      {"127.0.0.1", Class::loopback},
      {"127.255.0.3", Class::loopback},
      {"0.0.0.0", Class::loopback},
      {"::", Class::loopback},
      {"::1", Class::loopback},
      {"::ffff:127.0.0.1", Class::loopback},
      {"::ffff:8.8.8.8", Class::public_internet},
      {"64:ff9b::10.1.2.3", Class::private_network},
      {"64:ff9b::8.8.8.8", Class::public_internet},
      {"2002:7f00:1::", Class::loopback},
  };
  for (const auto& [text, expected] : table) {
    CAPTURE(text);
    CHECK(http::classify(text) == expected);
  }
}

TEST_CASE("a server may not lead its client further inwards than where it stands itself") {
  using Class = http::AddressClass;
  const std::vector all{Class::public_internet, Class::private_network, Class::link_local, Class::loopback};
  const std::vector<std::vector<int>> allowed{{1, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 1, 0}, {1, 1, 0, 1}};
  for (std::size_t from = 0; from < all.size(); ++from) {
    for (std::size_t to = 0; to < all.size(); ++to) {
      CAPTURE(from, to);
      CHECK(http::may_lead_to(all[from], all[to]) == (allowed[from][to] == 1));
    }
  }
}

TEST_CASE("address blocks of no_proxy") {
  CHECK(http::in_block("10.1.2.3", "10.0.0.0/8"));
  CHECK(http::in_block("10.1.2.3", "10.1.2.3"));
  CHECK(http::in_block("10.1.2.3", "0.0.0.0/0"));
  CHECK(http::in_block("fd00:1::2", "fd00:1::/32"));
  CHECK_FALSE(http::in_block("11.1.2.3", "10.0.0.0/8"));
  CHECK_FALSE(http::in_block("10.1.2.3", "10.0.0.0/33"));
  CHECK_FALSE(http::in_block("10.1.2.3", "10.0.0.0/x"));
  CHECK_FALSE(http::in_block("10.1.2.3", "example.com"));
  CHECK_FALSE(http::in_block("example.com", "0.0.0.0/0"));
  CHECK_FALSE(http::in_block("::1", "0.0.0.0/0"));
}

TEST_CASE("the proxy of the environment") {
  const auto proxy = [](const char* url, const std::map<std::string, std::string>& variables) {
    const auto found = http::proxy_for(Url::parse(url), [&](const char* name) -> const char* {
      const auto at = variables.find(name);
      return at == variables.end() ? nullptr : at->second.c_str();
    });
    return found ? std::string{found->reveal()} : std::string{};
  };
  CHECK(proxy("https://a.example", {}).empty());
  CHECK(proxy("https://a.example", {{"https_proxy", "http://p:1"}}) == "http://p:1");
  CHECK(proxy("https://a.example", {{"HTTPS_PROXY", "http://p:2"}}) == "http://p:2");
  CHECK(proxy("https://a.example", {{"ALL_PROXY", "http://p:3"}, {"https_proxy", ""}}) == "http://p:3");
  CHECK(proxy("https://127.0.0.1:5000", {{"https_proxy", "http://p:1"}}).empty());
  CHECK(proxy("http://localhost:5000", {{"http_proxy", "http://p:1"}, {"all_proxy", "http://p:1"}}).empty());
  for (const char* exempt : {"*", "a.example", ".example", "EXAMPLE", "x, a.example", "x a.example"}) {
    CAPTURE(exempt);
    CHECK(proxy("https://a.example", {{"https_proxy", "http://p:1"}, {"no_proxy", exempt}}).empty());
  }
  CHECK_FALSE(proxy("https://a.example", {{"https_proxy", "http://p:1"}, {"no_proxy", "b.example,ample"}}).empty());
  CHECK(proxy("https://10.2.3.4", {{"https_proxy", "http://p:1"}, {"NO_PROXY", "10.0.0.0/8"}}).empty());
}

namespace {

http::Request request(http::Method method = http::Method::get, const char* url = "https://a.example/x?token=s3cret") {
  return {.method = method,
          .url = Url::parse(url),
          .headers = {{"Accept", "*/*"}, {"Range", "bytes=5-"}, {"X-UTID", "UTID:REAL:1"}, {"Cookie", "c"}},
          .body = "body",
          .credentials = http::Credentials{"Authorization", Secret{"Bearer t0ken"}}};
}

http::Response answer(int status, const char* location) {
  return {status, {{"Location", location}}, {}, Url::parse("https://a.example/x")};
}

ErrorKind refusal(const http::Request& from, const http::Response& response, int followed = 0) {
  try {
    http::redirected(from, response, followed);
  } catch (const Error& error) {
    CAPTURE(error.message());
    CHECK(error.message().find("s3cret") == std::string::npos);
    CHECK(error.message().find("other5ecret") == std::string::npos);
    return error.kind();
  }
  FAIL("it was followed");
  return {};
}

}  // namespace

TEST_CASE("a redirect inside the origin keeps all, another origin gets nothing that is not harmless") {
  const auto same = http::redirected(request(), answer(302, "/y?z=1"), 0);
  CHECK(same.url.text() == "https://a.example/y?z=1");
  CHECK(same.credentials);
  CHECK(same.headers.size() == 4);
  for (const char* elsewhere :
       {"https://b.example/", "https://a.example:444/", "//b.example/", "https://b.example/#f"}) {
    CAPTURE(elsewhere);
    const auto other = http::redirected(request(), answer(307, elsewhere), 4);
    CHECK_FALSE(other.credentials);
    CHECK(other.headers.size() == 2);
    CHECK(other.headers.find("X-UTID") == nullptr);
    CHECK(other.headers.find("Cookie") == nullptr);
  }
}

TEST_CASE("redirects that are refused") {
  CHECK(refusal(request(), answer(302, "http://127.0.0.1/?a=other5ecret")) == ErrorKind::denied);
  CHECK(refusal(request(http::Method::get, "http://127.0.0.1/"), answer(302, "http://b.example/")) ==
        ErrorKind::denied);
  CHECK(refusal(request(), answer(302, "/y"), 5) == ErrorKind::invalid_input);
  CHECK(refusal(request(), answer(302, "ftp://b.example/?x=other5ecret")) == ErrorKind::invalid_input);
  CHECK(refusal(request(), answer(302, "https://u:other5ecret@b.example/")) == ErrorKind::invalid_input);
  CHECK(refusal(request(), {302, {}, {}, Url::parse("https://a.example/x")}) == ErrorKind::invalid_input);
  CHECK(refusal(request(http::Method::post), answer(302, "/y")) == ErrorKind::invalid_input);
  CHECK(refusal(request(http::Method::post), answer(307, "https://b.example/")) == ErrorKind::denied);
  CHECK(refusal(request(http::Method::put), answer(308, "https://b.example/")) == ErrorKind::denied);
}

TEST_CASE("303 turns any method into a GET without a body, 307 keeps it") {
  const auto got = http::redirected(request(http::Method::post), answer(303, "/done"), 0);
  CHECK(got.method == http::Method::get);
  CHECK(got.body.empty());
  const auto kept = http::redirected(request(http::Method::post), answer(307, "/elsewhere"), 0);
  CHECK(kept.method == http::Method::post);
  CHECK(kept.body == "body");
}

TEST_CASE("plain http is for loopback") {
  for (const char* good : {"https://a.example", "http://127.0.0.1:80", "http://[::1]:5000", "http://localhost"}) {
    CHECK_NOTHROW(http::check_scheme(Url::parse(good)));
  }
  for (const char* bad : {"http://a.example", "http://127.0.0.1.example", "http://127.1", "http://10.0.0.1"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(http::check_scheme(Url::parse(bad)), Error);
  }
}

namespace {

struct Received {
  explicit Received(http::Request request, std::size_t header_limit = 1000)
      : asked(std::move(request)), receiver(asked, header_limit) {}
  bool lines(std::initializer_list<const char*> list) {
    for (const char* line : list) {
      if (!receiver.header_line(line)) return false;
    }
    return true;
  }
  http::Request asked;
  http::Receiver receiver;
};

}  // namespace

TEST_CASE("what a server sends is read within limits") {
  SECTION("interim responses and trailers do not count") {
    Received got{request()};
    CHECK(got.lines(
        {"HTTP/1.1 100 Continue\r\n", "X: 1\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "ETag:  \"a\" \r\n", "\r\n"}));
    CHECK(got.receiver.body(as_bytes("ab")));
    CHECK(got.lines({"ETag: \"trailer\"\r\n"}));
    const auto response = got.receiver.finish();
    CHECK(response.status == 200);
    CHECK(response.body == "ab");
    REQUIRE(response.headers.size() == 1);
    CHECK(*response.headers.find("etag") == "\"a\"");
  }
  SECTION("headers over the limit") {
    Received got{request()};
    CHECK(got.lines({"HTTP/1.1 200 OK\r\n"}));
    CHECK_FALSE(got.lines({(std::string(1000, 'a') + ": b\r\n").c_str()}));
    CHECK(got.receiver.failure());
  }
  SECTION("malformed heads") {
    for (const char* bad : {"HTTP/1.1 2x0\r\n", "HTTP/1.1\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 099 x\r\n"}) {
      Received got{request()};
      CHECK_FALSE(got.lines({bad}));
    }
    for (const char* bad : {" folded: x\r\n", "nothing\r\n", "a b: c\r\n", "a: \x01\r\n", ": x\r\n"}) {
      Received got{request()};
      CHECK_FALSE(got.lines({"HTTP/1.1 200 OK\r\n", bad}));
    }
  }
  SECTION("a body over the limit, announced or not") {
    auto small = request();
    small.response_limit = 4;
    Received announced{small};
    CHECK(announced.lines({"HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "\r\n"}));
    CHECK_FALSE(announced.receiver.body(as_bytes("a")));
    Received endless{small};
    CHECK(endless.lines({"HTTP/1.1 200 OK\r\n", "\r\n"}));
    CHECK(endless.receiver.body(as_bytes("abcd")));
    CHECK_FALSE(endless.receiver.body(as_bytes("e")));
    CHECK(endless.receiver.failure());
  }
  SECTION("the body of an error is cut, and no failure") {
    Received got{request()};
    CHECK(got.lines({"HTTP/1.1 500 Oops\r\n", "\r\n"}));
    CHECK(got.receiver.body(as_bytes(std::string(60'000, 'x'))));
    CHECK_FALSE(got.receiver.body(as_bytes(std::string(60'000, 'x'))));
    CHECK(got.receiver.enough());
    CHECK_FALSE(got.receiver.failure());
    CHECK(got.receiver.finish().body.size() == 65'536);
  }
  SECTION("an error of the sink comes back") {
    auto asked = request();
    FunctionSink sink{[](ByteView) { throw Error{ErrorKind::busy, "full"}; }};
    asked.open_sink = [&](const http::Head& head) -> Sink& {
      CHECK(head.content_length() == 3);
      return sink;
    };
    Received got{asked};
    CHECK(got.lines({"HTTP/1.1 200 OK\r\n", "Content-Length: 3\r\n", "\r\n"}));
    CHECK_FALSE(got.receiver.body(as_bytes("abc")));
    CHECK_THROWS_AS(std::rethrow_exception(got.receiver.failure()), Error);
  }
}

TEST_CASE("headers cannot be split") {
  http::Headers headers;
  CHECK_THROWS_AS(headers.add("A", "b\r\nX: y"), Error);
  CHECK_THROWS_AS(headers.add("A\n", "b"), Error);
  CHECK_THROWS_AS(headers.add("", "b"), Error);
  CHECK_THROWS_AS(headers.add("a:", "b"), Error);
  try {
    headers.add("Authorization", "Bearer s3cret\n");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.message().find("s3cret") == std::string::npos);
  }
}
