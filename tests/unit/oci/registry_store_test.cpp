#include "oci/registry_store.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers_index.hpp"
#include "support/error_kind.hpp"
#include "support/fake_http_client.hpp"

using namespace capsule;
using http::Headers;
using http::Method;
using http::Request;
using http::Response;

namespace {

const std::string manifest_type{oci::media_type::image_manifest};
const std::string index_type{oci::media_type::image_index};

/// The fake belongs to the test, the store wants a client of its own.
class Borrowed final : public http::Client {
 public:
  explicit Borrowed(http::Client& next) : m_next(next) {}
  Response send(const Request& request) override { return m_next.send(request); }

 private:
  http::Client& m_next;
};

struct Fixture {
  test::FakeHttpClient fake;
  std::vector<std::chrono::milliseconds> slept;
  oci::Connect connect = [this] { return std::make_unique<Borrowed>(fake); };
  oci::RegistryStore store{{Url::parse("https://r.example/"), connect, connect},
                           "team/metal",
                           oci::Access{},
                           {[] { return std::chrono::steady_clock::time_point{}; },
                            [this](auto time) { slept.push_back(time); }, [] { return 0.5; }}};

  [[nodiscard]] const Request& last() const { return fake.seen().back(); }
};

oci::Descriptor descriptor_of(const std::string& bytes, const std::string& type = manifest_type) {
  return {type, crypto::sha256(bytes), bytes.size(), {}, {}, {}};
}

std::string manifest_with(const std::string& more) {
  const auto empty = fmt::format(R"({{"mediaType":"{}","digest":"{}","size":2}})", oci::media_type::empty,
                                 crypto::sha256("{}").text());
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]{}}})", manifest_type, empty,
                     empty, more);
}

std::string referrer_of(const Digest& subject, const std::string& type) {
  return manifest_with(fmt::format(
      R"(,"artifactType":"{}","subject":{{"mediaType":"{}","digest":"{}","size":2}},"annotations":{{"type":"{}"}})",
      type, index_type, subject.text(), type));
}

}  // namespace

TEST_CASE("a tag is what its bytes are, whatever the headers say") {
  Fixture f;
  const auto bytes = manifest_with("");
  f.fake.answer(200, bytes, {{"Content-Type", manifest_type + "; charset=utf-8"}});
  const auto found = f.store.resolve("1.0.0");
  CHECK(found->digest == crypto::sha256(bytes));
  CHECK(found->size == bytes.size());
  CHECK(found->media_type == manifest_type);
  CHECK(f.last().url.text() == "https://r.example/v2/team/metal/manifests/1.0.0");
  CHECK(f.store.manifest(found->digest) == bytes);  // not asked for again
  f.fake.answer(200, bytes, {{"Docker-Content-Digest", crypto::sha256("other").text()}});
  CHECK(kind_of([&] { (void)f.store.resolve("1.0.0"); }) == ErrorKind::verification_failed);
  f.fake.answer(200, bytes, {{"Docker-Content-Digest", "md5:abc"}});
  CHECK(kind_of([&] { (void)f.store.resolve("1.0.0"); }) == ErrorKind::invalid_input);
  f.fake.answer(404);
  CHECK_FALSE(f.store.resolve("1.0.0"));
  CHECK_FALSE(f.store.resolve("../1"));  // no tag: nobody is asked
  f.fake.answer(200, bytes);
  CHECK(kind_of([&] { (void)f.store.manifest(crypto::sha256("other")); }) == ErrorKind::verification_failed);
  f.fake.answer(404);
  CHECK(kind_of([&] { (void)f.store.manifest(crypto::sha256("other")); }) == ErrorKind::not_found);
  CHECK(f.fake.done());
}

TEST_CASE("a web page in place of a manifest is what stands before the registry, and may go away") {
  Fixture f;
  for (const char* type : {"text/html", "text/html; charset=utf-8"}) {
    f.fake.answer(200, "<html>log in</html>", {{"Content-Type", type}});
    CHECK(kind_of([&] { (void)f.store.resolve("1.0.0"); }) == ErrorKind::unavailable);
    f.fake.answer(200, "<html>log in</html>", {{"Content-Type", type}});
    CHECK(kind_of([&] { (void)f.store.manifest(crypto::sha256("x")); }) == ErrorKind::unavailable);
  }
}

TEST_CASE("a tag that names what it named is not sent again") {
  Fixture f;
  const auto bytes = manifest_with("");
  f.fake.answer(200, bytes, {{"Content-Type", manifest_type}, {"ETag", "\"1\""}});
  const auto first = f.store.resolve("1.0.0");
  CHECK(f.last().headers.find("If-None-Match") == nullptr);
  f.fake.answer(304, "", {{"ETag", "\"1\""}});
  const auto second = f.store.resolve("1.0.0");
  CHECK(*f.last().headers.find("If-None-Match") == "\"1\"");
  CHECK(second->digest == first->digest);
  CHECK(second->size == bytes.size());
  CHECK(second->media_type == manifest_type);
  const auto other = manifest_with(R"(,"annotations":{"a":"b"})");
  f.fake.answer(200, other, {{"Content-Type", manifest_type}});
  CHECK(f.store.resolve("1.0.0")->digest == crypto::sha256(other));
  f.fake.answer(304);  // nobody asked whether it is the same
  CHECK_THROWS_AS(f.store.resolve("1.0.0"), Error);
  CHECK(f.last().headers.find("If-None-Match") == nullptr);
  f.fake.answer(404);
  CHECK_FALSE(f.store.resolve("1.0.0"));
  CHECK(f.fake.done());
}

TEST_CASE("a manifest that is there is not put again") {
  Fixture f;
  const auto bytes = manifest_with("");
  f.fake.answer(200, bytes, {{"Content-Type", manifest_type}});
  CHECK(f.store.put_manifest(manifest_type, bytes, "1.0.0").digest == crypto::sha256(bytes));
  CHECK(f.fake.seen().size() == 1);
  f.fake.answer(404);
  f.fake.answer(201);
  f.store.put_manifest(manifest_type, bytes, "2.0.0");
  CHECK(f.last().method == Method::put);
  CHECK(f.last().body == bytes);
  CHECK(*f.last().headers.find("Content-Type") == manifest_type);
  CHECK(f.fake.done());
}

TEST_CASE("a registry with the referrers API needs no tag for them") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  const auto bytes = referrer_of(subject, "application/x-a");
  f.fake.answer(404);  // no such manifest yet
  f.fake.answer(201, "", {{"OCI-Subject", subject.text()}});
  f.store.put_manifest(manifest_type, bytes, std::nullopt);
  CHECK(f.fake.done());
}

TEST_CASE("without the API a referrer is added to the tag, and again where another writer replaced it") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  const auto ours = referrer_of(subject, "application/x-a");
  const auto theirs = oci::referrers_text({descriptor_of(referrer_of(subject, "application/x-b"))});
  std::string stored;
  const auto read = [&] {
    f.fake.answer_with([&](const Request& request) -> Response {
      CHECK(request.url.path().ends_with("/manifests/" + oci::referrers_tag(subject)));
      return {200, {{"Content-Type", index_type}, {"ETag", "\"e\""}}, stored, request.url};
    });
  };
  const auto write = [&](bool lost) {
    f.fake.answer_with([&, lost](const Request& request) -> Response {
      CHECK(*request.headers.find("If-Match") == "\"e\"");
      stored = lost ? theirs : request.body;
      return {201, {}, "", request.url};
    });
  };
  stored = oci::referrers_text({});
  f.fake.answer(404);  // the manifest itself
  f.fake.answer(201);  // without OCI-Subject
  read();
  write(true);
  read();
  write(false);
  read();
  f.store.put_manifest(manifest_type, ours, std::nullopt);
  CHECK(f.fake.done());
  CHECK(f.slept == std::vector<std::chrono::milliseconds>(2, std::chrono::milliseconds{150}));
  const auto listed = oci::parse_referrers(stored, "the list");
  REQUIRE(listed.size() == 2);  // theirs stayed
  CHECK(listed[1].digest == crypto::sha256(ours));
  CHECK(listed[1].artifact_type == "application/x-a");
  CHECK(listed[1].annotations.at("type") == "application/x-a");
}

TEST_CASE("what is attached and tagged together is waited for once, and what was lost meanwhile is added again") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  const auto ours = referrer_of(subject, "application/x-a");
  std::string stored = oci::referrers_text({});
  const auto list = [&] {
    f.fake.answer_with([&](const Request& request) -> Response {
      return {200, {{"Content-Type", index_type}}, stored, request.url};
    });
  };
  const auto put_list = [&] {
    f.fake.answer_with([&](const Request& request) -> Response {
      stored = request.body;
      return {201, {}, "", request.url};
    });
  };
  f.fake.answer(404);  // the manifest itself
  f.fake.answer(201);
  list();
  put_list();
  f.fake.answer(404);  // the tag
  f.fake.answer(201);
  list();
  put_list();
  list();
  int waits_within = 0;
  f.store.exclusively([&] {
    f.store.put_manifest(manifest_type, ours, std::nullopt);
    f.store.exclusively([&] { f.store.put_manifest(manifest_type, manifest_with(""), "1.0.0"); });
    waits_within = static_cast<int>(f.slept.size());
    stored = oci::referrers_text({});  // another writer's
  });
  CHECK(waits_within == 0);
  CHECK(f.slept.size() == 2);
  f.store.settle();
  CHECK(f.slept.size() == 2);  // the tag was waited for, too
  CHECK(oci::parse_referrers(stored, "the list").size() == 1);
  CHECK(f.fake.done());
}

TEST_CASE("a manifest that was looked for is put without another look") {
  Fixture f;
  const auto bytes = manifest_with("");
  f.fake.answer(404);
  CHECK_FALSE(f.store.holds_manifest(crypto::sha256(bytes), bytes.size()));
  f.fake.answer(201);
  f.store.put_manifest(manifest_type, bytes, std::nullopt);
  f.fake.answer(200, "", {{"Content-Length", std::to_string(bytes.size())}});
  f.store.put_manifest(manifest_type, bytes, std::nullopt);  // asked for again, for it is not known any more
  CHECK(f.fake.done());
}

TEST_CASE("a registry that takes note of entity tags is written again after a conflict") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  const auto bytes = referrer_of(subject, "application/x-a");
  f.fake.answer(404);
  f.fake.answer(201);
  f.fake.answer(200, oci::referrers_text({}), {{"Content-Type", index_type}, {"ETag", "\"1\""}});
  f.fake.answer(412);
  f.fake.answer(200, oci::referrers_text({descriptor_of(bytes)}), {{"Content-Type", index_type}, {"ETag", "\"2\""}});
  f.store.put_manifest(manifest_type, bytes, std::nullopt);
  CHECK(f.fake.done());
}

TEST_CASE("referrers are read over pages, filtered, and held against their manifests") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  const auto good = referrer_of(subject, "application/x-a");
  const auto other = referrer_of(subject, "application/x-b");
  const auto foreign = referrer_of(crypto::sha256("another index"), "application/x-a");
  auto lying = descriptor_of(good);
  lying.annotations = {{"type", "a lie"}};
  const auto known = descriptor_of(other);
  auto typed = known;
  typed.artifact_type = "application/x-b";
  f.fake.answer(200, oci::referrers_text({lying, typed}),
                {{"Link", "</v2/team/metal/referrers/next?p=2>; rel=\"next\""}});
  f.fake.answer(200, oci::referrers_text({lying, descriptor_of(foreign)}));
  f.fake.answer(200, good, {{"Content-Type", manifest_type}});
  f.fake.answer(200, foreign, {{"Content-Type", manifest_type}});
  const auto found = f.store.referrers(subject, "application/x-a");
  REQUIRE(found.size() == 1);
  CHECK(found[0].digest == crypto::sha256(good));
  CHECK(found[0].annotations.at("type") == "application/x-a");
  CHECK(f.fake.done());
}

TEST_CASE("a list of referrers that does not end is cut off (attacks 8)") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  int pages = 0;
  const std::function<Response(const Request&)> page = [&](const Request& request) -> Response {
    if (request.url.path().find("/referrers/") == std::string::npos) return {404, {}, "", request.url};
    std::vector<oci::Descriptor> entries;
    for (int i = 0; i < 5000; ++i) entries.push_back(descriptor_of(fmt::format("{}-{}", pages, i)));
    ++pages;
    return {200,
            {{"Link", fmt::format("</v2/team/metal/referrers/x?p={}>; rel=\"next\"", pages)}},
            oci::referrers_text(entries),
            request.url};
  };
  for (int i = 0; i < 200; ++i) f.fake.answer_with(page);
  CHECK(f.store.referrers(subject, {}).empty());  // none of them is there
  CHECK(pages < 40);
  CHECK(f.fake.seen().size() < 40U + oci::Store::max_referrers + 1);
}

TEST_CASE("a registry that is not to be had now is no registry without referrers") {
  Fixture f;
  const auto subject = crypto::sha256("index");
  const auto good = referrer_of(subject, "application/x-a");
  f.fake.answer(503);
  CHECK(kind_of([&] { (void)f.store.referrers(subject, {}); }) == ErrorKind::unavailable);
  f.fake.answer(200, oci::referrers_text({descriptor_of(good)}));
  f.fake.answer(503);
  CHECK(kind_of([&] { (void)f.store.referrers(subject, {}); }) == ErrorKind::unavailable);
}

TEST_CASE("tags are read over pages, without those of referrers") {
  Fixture f;
  f.fake.answer(200, R"({"name":"team/metal","tags":["b","index-v-1.0.0"]})",
                {{"Link", "</v2/team/metal/tags/list?last=b>; rel=\"next\""}});
  f.fake.answer(200, fmt::format(R"({{"tags":["a","{}"]}})", oci::referrers_tag(crypto::sha256("x"))));
  CHECK(f.store.tags({}) == std::vector<std::string>{"a", "b", "index-v-1.0.0"});
  f.fake.answer(404);
  CHECK(f.store.tags({}).empty());
  f.fake.answer(200, R"({"tags":null})");
  CHECK(f.store.tags({}).empty());
}

TEST_CASE("names below a base are listed, deeper ones and other bases are not") {
  Fixture f;
  f.fake.answer(200, R"({"repositories":["team/metal","team/b/c","team/a","other/x","team/Bad"]})");
  const oci::Registry registry{Url::parse("https://r.example/"), f.connect, f.connect};
  CHECK(oci::registry_names(registry, "team/") == std::vector<std::string>{"a", "metal"});
  f.fake.answer(401);
  CHECK(kind_of([&] { (void)oci::registry_names(registry, ""); }) == ErrorKind::denied);
}
