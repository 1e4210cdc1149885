#include "oci/blob_upload.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "blob_registry.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

using namespace capsule;
using test::BlobRegistry;

namespace {

using Log = std::vector<std::string>;

struct Fixture {
  BlobRegistry registry;
  fs::TemporaryFolder folder{fs::temporary_parent()};
  std::string text = "abcdefghij";
  std::vector<std::uint64_t> opened;  ///< offsets
  oci::UploadSettings settings{
      .one_put = 4, .chunk = 4, .timer = test::no_time(), .records = folder.path() / "uploads"};
  std::vector<std::string> mount_from;

  [[nodiscard]] Digest digest() const { return crypto::sha256(text); }

  oci::BlobContent content() {
    return {digest(), text.size(), [this](std::uint64_t offset) {
              opened.push_back(offset);
              return std::make_unique<ViewSource>(as_bytes(text).subspan(static_cast<std::size_t>(offset)));
            }};
  }

  oci::Uploaded put(const oci::BlobContent& what) {
    const auto base = Url::parse("https://registry.example/v2/a/b/blobs/uploads/");
    return oci::upload_blob(registry, {base.with_path("/v2/a/b/blobs/" + what.digest.text()), base, mount_from}, what,
                            settings);
  }
  oci::Uploaded put() { return put(content()); }

  ErrorKind fails(const oci::BlobContent& what) {
    try {
      put(what);
    } catch (const Error& error) {
      return error.kind();
    }
    FAIL("an error is wanted");
    throw;
  }

  [[nodiscard]] std::size_t records() const {
    const auto path = folder.path() / "uploads";
    if (!std::filesystem::exists(path)) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{path}, {}));
  }

  void check_stored() const {
    REQUIRE(registry.blobs.contains(digest().text()));
    CHECK(registry.blobs.at(digest().text()) == text);
    CHECK_FALSE(registry.session);
    CHECK(records() == 0);
  }
};

/// Answers the n-th request of a method in the registry's place.
BlobRegistry::Hook answer_nth(http::Method method, int nth, int status, http::Headers headers = {}) {
  return [=, count = 0](const http::Request& request) mutable -> std::optional<http::Response> {
    if (request.method != method || ++count != nth) return std::nullopt;
    return BlobRegistry::answer(request, status, headers);
  };
}

}  // namespace

TEST_CASE("a blob is sent once: not at all where it is there or can be mounted") {
  Fixture f;
  SECTION("there") {
    f.registry.blobs[f.digest().text()] = f.text;
    CHECK(f.put() == oci::Uploaded::already_there);
    CHECK(f.registry.seen == Log{"HEAD"});
  }
  SECTION("elsewhere") {
    f.registry.elsewhere[f.digest().text()] = f.text;
    f.mount_from = {"c/d"};
    CHECK(f.put() == oci::Uploaded::mounted);
    CHECK(f.registry.seen == Log{"HEAD", "POST"});
  }
  SECTION("a mount that finds nothing begins an upload") {
    f.mount_from = {"c/d"};
    CHECK(f.put() == oci::Uploaded::sent);
    CHECK(f.registry.seen == Log{"HEAD", "POST", "PATCH 0-3", "PATCH 4-7", "PATCH 8-9", "PUT"});
  }
  SECTION("a source that may not be read is no obstacle") {
    f.mount_from = {"c/d"};
    f.registry.hook = answer_nth(http::Method::post, 1, 403);
    CHECK(f.put() == oci::Uploaded::sent);
  }
  f.check_stored();
  CHECK(f.opened.size() == (f.registry.received == 0 ? 0 : 1));
}

TEST_CASE("the parts of a very large blob are larger, and small again where they are refused for their size") {
  Fixture f;
  f.settings.chunk = 1;
  f.settings.largest_chunk = 8;
  f.text = "abcdefghijklmnop";
  SECTION("a seventh") {
    f.put();
    CHECK(f.registry.seen[2] == "PATCH 0-2");
  }
  SECTION("at most") {
    f.settings.largest_chunk = 2;
    f.put();
    CHECK(f.registry.seen[2] == "PATCH 0-1");
  }
  SECTION("413") {
    f.registry.hook = answer_nth(http::Method::patch, 1, 413);
    f.put();
    CHECK(std::find(f.registry.seen.begin(), f.registry.seen.end(), "PATCH 0-0") != f.registry.seen.end());
  }
  SECTION("413 of the smallest, too") {
    f.registry.hook = [](const http::Request& request) -> std::optional<http::Response> {
      if (request.method != http::Method::patch) return std::nullopt;
      return BlobRegistry::answer(request, 413, {});
    };
    CHECK(f.fails(f.content()) == ErrorKind::invalid_input);
    CHECK_FALSE(f.registry.session);
    return;
  }
  f.check_stored();
}

TEST_CASE("what is hashed elsewhere is not hashed to be sent: the registry refuses another content") {
  Fixture f;
  auto content = f.content();
  content.digest = crypto::sha256("another");
  CHECK(f.fails(content) == ErrorKind::verification_failed);
  CHECK(f.registry.received < f.text.size());
  content.check = oci::BlobContent::Check::registry;
  f.registry.received = 0;
  CHECK_THROWS(f.put(content));
  CHECK(f.registry.received >= f.text.size());
  CHECK(f.registry.blobs.empty());
  CHECK_FALSE(f.registry.session);
}

TEST_CASE("a small blob goes in one PUT, a large one in parts, as large as the registry wants them") {
  Fixture f;
  SECTION("small") {
    f.text = "abcd";
    f.put();
    CHECK(f.registry.seen == Log{"HEAD", "POST", "PUT"});
  }
  SECTION("empty") {
    f.text = "";
    f.put();
    CHECK(f.registry.seen == Log{"HEAD", "POST", "PUT"});
  }
  SECTION("OCI-Chunk-Min-Length") {
    f.registry.min_chunk = "6";
    f.put();
    CHECK(f.registry.seen == Log{"HEAD", "POST", "PATCH 0-5", "PATCH 6-9", "PUT"});
  }
  SECTION("chunks refused") {
    f.registry.hook = answer_nth(http::Method::patch, 1, GENERATE(405, 501, 400));
    f.put();
    CHECK(f.registry.seen == Log{"HEAD", "POST", "PATCH 0-3", "DELETE", "POST", "PUT"});
  }
  f.check_stored();
}

TEST_CASE("an upload goes on where the registry stands") {
  Fixture f;
  SECTION("a request is cut, and the session kept") {
    f.registry.hook = [&, patches = 0](const http::Request& request) mutable -> std::optional<http::Response> {
      if (request.method == http::Method::patch && ++patches == 2) f.registry.cut_after = 1;
      return std::nullopt;
    };
    f.put();
    CHECK(f.registry.seen ==
          Log{"HEAD", "POST", "PATCH 0-3", "PATCH 4-7", "HEAD", "GET", "PATCH 5-8", "PATCH 9-9", "PUT"});
    CHECK(f.registry.received == f.text.size());
  }
  SECTION("the session is lost") {
    f.registry.hook = [&, patches = 0](const http::Request& request) mutable -> std::optional<http::Response> {
      if (request.method == http::Method::patch && ++patches == 2) f.registry.session.reset();
      return std::nullopt;
    };
    f.put();
    CHECK(f.registry.received == f.text.size() + 4);
  }
  SECTION("416, 500, 429 with Retry-After in the middle") {
    f.registry.hook = answer_nth(http::Method::patch, 2, GENERATE(416, 500, 429), {{"Retry-After", "1"}});
    f.put();
    CHECK(f.registry.received == f.text.size());
  }
  SECTION("less was taken than was sent") {
    f.registry.hook = [&, patches = 0](const http::Request& request) mutable -> std::optional<http::Response> {
      if (request.method != http::Method::patch || ++patches != 1) return std::nullopt;
      *f.registry.session += "ab";
      return BlobRegistry::answer(request, 202, {{"Location", request.url.text()}, {"Range", "0-1"}});
    };
    f.put();
    CHECK(f.registry.seen == Log{"HEAD", "POST", "PATCH 0-3", "PATCH 2-5", "PATCH 6-9", "PUT"});
  }
  SECTION("the answer to the last request is lost") {
    f.registry.hook = [&, done = false](const http::Request& request) mutable -> std::optional<http::Response> {
      if (request.method != http::Method::put || std::exchange(done, true)) return std::nullopt;
      f.registry.blobs[f.digest().text()] = *std::exchange(f.registry.session, std::nullopt);
      throw http::TransportError{ErrorKind::unavailable, "cut", http::TransportError::Sent::maybe};
    };
    f.put();
    CHECK(f.registry.seen.back() == "HEAD");
  }
  SECTION("what lies there is not what was sent: once more from the beginning") {
    f.registry.hook = [&, done = false](const http::Request& request) mutable -> std::optional<http::Response> {
      if (request.method == http::Method::put && !std::exchange(done, true)) f.registry.session->front() = 'X';
      return std::nullopt;
    };
    f.put();
    CHECK(f.registry.received == 2 * f.text.size());
  }
  f.check_stored();
}

TEST_CASE("another process goes on where a killed one stood") {
  Fixture f;
  // What a process leaves that dies after its first part: the session, and its record.
  f.settings.retry.backoff.attempts = 1;
  f.registry.hook = [&](const http::Request& request) -> std::optional<http::Response> {
    if (request.headers.find("Content-Range") == nullptr || request.headers.find("Content-Range")->starts_with("0-"))
      return std::nullopt;
    throw http::TransportError{ErrorKind::unavailable, "dead", http::TransportError::Sent::maybe};
  };
  CHECK(f.fails(f.content()) == ErrorKind::unavailable);
  CHECK(f.records() == 1);
  const auto file = std::filesystem::directory_iterator {
    f.folder.path() / "uploads"
    } -> path();
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::mask) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  f.registry.hook = [](const http::Request&) { return std::nullopt; };
  f.registry.seen.clear();
  SECTION("goes on") {
    f.put();
    CHECK(f.registry.seen == Log{"HEAD", "GET", "PATCH 4-7", "PATCH 8-9", "PUT"});
    CHECK(f.registry.received == f.text.size());
  }
  SECTION("the registry lost it") {
    f.registry.session.reset();
    f.put();
    CHECK(f.registry.seen.at(1) == "GET");
    CHECK(f.registry.received == f.text.size() + 4);
  }
  SECTION("the record is garbage") {
    fs::write_file(file, R"({"location":)");
    f.put();
    CHECK(f.registry.seen.at(1) == "POST");
  }
  SECTION("the record stays where the registry cannot be reached") {
    f.registry.hook = [](const http::Request&) -> std::optional<http::Response> {
      throw http::TransportError{ErrorKind::unavailable, "dead", http::TransportError::Sent::no};
    };
    CHECK(f.fails(f.content()) == ErrorKind::unavailable);
    CHECK(f.records() == 1);
    return;
  }
  f.check_stored();
}

TEST_CASE("another content is refused before its last byte is sent, and nothing is left behind") {
  Fixture f;
  f.text = GENERATE("abc", "abcdefghij", "");
  auto other = f.content();
  other.digest = crypto::sha256("another");
  SECTION("digest") {}
  SECTION("fewer bytes") {
    if (f.text.empty()) return;
    ++other.size;
  }
  CHECK(f.fails(other) == ErrorKind::verification_failed);
  CHECK(f.registry.blobs.empty());
  CHECK_FALSE(f.registry.session);
  CHECK(f.records() == 0);
}

TEST_CASE("what a registry says for good is an error of its kind, and its session is ended") {
  Fixture f;
  const auto [method, status, kind] =
      GENERATE(table<http::Method, int, ErrorKind>({{http::Method::head, 403, ErrorKind::denied},
                                                    {http::Method::post, 401, ErrorKind::denied},
                                                    {http::Method::post, 404, ErrorKind::not_found},
                                                    {http::Method::patch, 403, ErrorKind::denied},
                                                    {http::Method::patch, 413, ErrorKind::invalid_input},
                                                    {http::Method::put, 403, ErrorKind::denied},
                                                    {http::Method::patch, 503, ErrorKind::unavailable},
                                                    {http::Method::put, 400, ErrorKind::invalid_input}}));
  CAPTURE(static_cast<int>(method), status);
  f.registry.hook = [&, m = method, s = status](const http::Request& request) -> std::optional<http::Response> {
    if (request.method != m) return std::nullopt;
    return BlobRegistry::answer(request, s);
  };
  CHECK(f.fails(f.content()) == kind);
  CHECK(f.registry.blobs.empty());
  if (kind != ErrorKind::unavailable) CHECK_FALSE(f.registry.session);
}

TEST_CASE("an upload needs a Location that can be used, and never repeats it") {
  Fixture f;
  const std::string location = GENERATE("ftp://registry.example/upload?secret=1", "");
  http::Headers headers;
  if (!location.empty()) headers.add("Location", location);
  f.registry.hook = answer_nth(http::Method::post, 1, 202, headers);
  try {
    f.put();
    FAIL("an error is wanted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    CHECK(error.message().find("secret") == std::string::npos);
  }
  CHECK(f.registry.received == 0);
}
