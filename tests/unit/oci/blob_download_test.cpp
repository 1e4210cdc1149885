#include "oci/blob_download.hpp"

#include <catch2/catch.hpp>

#include "blob_registry.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "support/fake_http_client.hpp"

using namespace capsule;

namespace {

const std::string text = "abcdefghij";

/// Sends `body` and then breaks off.
test::FakeHttpClient::Answer cut(int status, std::string body, http::Headers headers = {}) {
  return [=](const http::Request& request) -> http::Response {
    request.open_sink({status, headers}).write(as_bytes(body));
    throw http::TransportError{ErrorKind::unavailable, "cut", http::TransportError::Sent::maybe};
  };
}

struct Fixture {
  test::FakeHttpClient client;
  Url url = Url::parse("https://registry.example/v2/a/b/blobs/x");
  oci::Descriptor blob{"a/b", crypto::sha256(text), text.size(), {}, {}, {}};
  oci::DownloadSettings settings{.timer = test::no_time()};

  std::string get() {
    StringSink sink{100};
    oci::download_blob(client, url, blob, sink, settings);
    CHECK(client.done());
    return sink.take();
  }

  ErrorKind fails() {
    StringSink sink{100};
    try {
      oci::download_blob(client, url, blob, sink, settings);
    } catch (const Error& error) {
      return error.kind();
    }
    FAIL("an error is wanted");
    throw;
  }
};

const std::string* range_of(const http::Request& request) {
  return request.headers.find("Range");
}

}  // namespace

TEST_CASE("a blob that is cut is gone on with, each byte once") {
  Fixture f;
  SECTION("in one piece") {
    f.client.answer(200, text);
  }
  SECTION("cut, and the rest as a range") {
    f.client.answer_with(cut(200, "abcd"));
    f.client.answer(206, "efghij", {{"Content-Range", "bytes 4-9/10"}});
  }
  SECTION("the range begins earlier than was asked") {
    f.client.answer_with(cut(200, "abcd"));
    f.client.answer(206, "cdefghij", {{"Content-Range", "bytes 2-9/10"}});
  }
  SECTION("the range is ignored") {
    f.client.answer_with(cut(200, "abcd"));
    f.client.answer(200, text);
  }
  SECTION("the range is refused, or is of something else") {
    f.client.answer_with(cut(200, "abcd"));
    SECTION("416") {
      f.client.answer(416);
    }
    SECTION("later bytes") {
      f.client.answer(206, "fghij", {{"Content-Range", "bytes 5-9/10"}});
    }
    SECTION("no Content-Range") {
      f.client.answer(206, "efghij");
    }
    f.client.answer_with([](const http::Request& request) -> http::Response {
      CHECK(range_of(request) == nullptr);
      request.open_sink({200, {}}).write(as_bytes(text));
      return {200, {}, {}, request.url};
    });
  }
  SECTION("a whole answer that is too short") {
    f.client.answer(200, "abcd");
    f.client.answer(206, "efghij", {{"Content-Range", "bytes 4-9/10"}});
  }
  SECTION("the line dies after the last byte") {
    f.client.answer_with(cut(200, text));
  }
  SECTION("503, 429 with Retry-After") {
    f.client.answer(503);
    f.client.answer(429, "", {{"Retry-After", "1"}});
    f.client.answer(200, text);
  }
  CHECK(f.get() == text);
}

TEST_CASE("another blob than was promised is refused") {
  Fixture f;
  SECTION("content") {
    f.client.answer(200, "abcdefghiX");
  }
  SECTION("too long, as announced") {
    f.client.answer(200, text + "k", {{"Content-Length", "11"}});
  }
  SECTION("too short, as announced") {
    f.client.answer(200, "abcd", {{"Content-Length", "4"}});
  }
  SECTION("too long") {
    f.client.answer(200, text + "k");
  }
  SECTION("too short for good") {
    f.client.answer(200, "abcd");
    f.client.answer(206, "", {{"Content-Range", "bytes 4-9/10"}});
  }
  SECTION("empty") {
    f.client.answer(200, "");
  }
  SECTION("a range of something else") {
    f.client.answer_with(cut(200, "abcd"));
    f.client.answer(206, "efghijk", {{"Content-Range", "bytes 4-10/11"}});
  }
  SECTION("the two halves are not of one blob") {
    f.client.answer_with(cut(200, "abcd"));
    f.client.answer(206, "efghiX", {{"Content-Range", "bytes 4-9/10"}});
  }
  CHECK(f.fails() == ErrorKind::verification_failed);
}

TEST_CASE("what a registry says for good is an error of its kind") {
  const auto [status, kind] = GENERATE(table<int, ErrorKind>({{404, ErrorKind::not_found},
                                                              {401, ErrorKind::denied},
                                                              {403, ErrorKind::denied},
                                                              {400, ErrorKind::invalid_input},
                                                              {204, ErrorKind::invalid_input},
                                                              {501, ErrorKind::invalid_input}}));
  Fixture f;
  f.client.answer(status);
  CHECK(f.fails() == kind);
  Fixture encoded;
  encoded.client.answer(200, text, {{"Content-Encoding", "gzip"}});
  CHECK(encoded.fails() == ErrorKind::invalid_input);
}

TEST_CASE("a line that is always dead is given up") {
  Fixture f;
  for (int i = 0; i < 5; ++i)
    f.client.fail(http::TransportError{ErrorKind::timed_out, "x", http::TransportError::Sent::no});
  CHECK(f.fails() == ErrorKind::timed_out);
  CHECK(f.client.done());
}

namespace {

/// A client of its own for a thread, with one answer.
oci::MakeClient one_answer(std::string body) {
  return [=] {
    auto client = std::make_unique<test::FakeHttpClient>();
    client->answer(200, body);
    return client;
  };
}

}  // namespace

TEST_CASE("a download can be read from; its end is that of a blob that holds") {
  Fixture f;
  const auto read = [&](std::string body) {
    const auto source = oci::open_download(one_answer(std::move(body)), f.url, f.blob, f.settings);
    StringSink sink{100};
    copy(*source, sink);
    return sink.take();
  };
  CHECK(read(text) == text);
  CHECK_THROWS_AS(read("abcdefghiX"), Error);
  CHECK_THROWS_AS(read("abcd"), std::exception);
  // A reader that has enough leaves no thread behind, though more than the pipe holds is still to come.
  const std::string large(std::size_t{8} << 20U, 'x');
  const oci::Descriptor blob{"a/b", crypto::sha256(large), large.size(), {}, {}, {}};
  const auto source = oci::open_download(one_answer(large), f.url, blob, f.settings);
  Bytes few(10);
  CHECK(source->read(few) == 10);
}
