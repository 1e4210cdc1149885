#include "store_contract.hpp"

#include <fmt/format.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "oci/media_types.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using oci::Descriptor;
using oci::Store;

namespace {

class CountingSource final : public Source {
 public:
  explicit CountingSource(std::string_view text) : m_next(as_bytes(text)) {}
  std::size_t read(MutableBytes buffer) override {
    ++reads;
    return m_next.read(buffer);
  }
  int reads = 0;

 private:
  ViewSource m_next;
};

Descriptor blob(Store& store, std::string_view text, std::string_view type = "application/octet-stream") {
  ViewSource source{as_bytes(text)};
  const auto digest = crypto::sha256(text);
  store.put_blob(digest, text.size(), source);
  return {std::string{type}, digest, text.size(), {}, {}, {}};
}

std::string image_manifest(Store& store, std::string_view content) {
  const auto config = blob(store, "{}", oci::media_type::empty);
  const auto layer = blob(store, content);
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},)"
                     R"("layers":[{{"mediaType":"application/octet-stream","digest":"{}","size":{}}}]}})",
                     oci::media_type::image_manifest, config.media_type, config.digest.text(), layer.digest.text(),
                     layer.size);
}

}  // namespace

void check_store_contract(const std::function<std::unique_ptr<Store>()>& open) {
  const auto store = open();
  const std::string text = "hello";
  const auto digest = crypto::sha256(text);

  SECTION("several threads read from one store") {
    std::vector<Descriptor> blobs;
    for (const std::string name : {"one", "two", "three", "four"}) blobs.push_back(blob(*store, name));
    const auto manifest = store->put_manifest(oci::media_type::image_manifest, image_manifest(*store, "x"), "tag");
    std::atomic<int> wrong = 0;
    const auto read = [&] {
      for (int round = 0; round < 25; ++round) {
        for (const auto& each : blobs) {
          if (crypto::sha256(oci::read_text(*store, each, 100)) != each.digest) ++wrong;
        }
        if (crypto::sha256(store->manifest(manifest.digest)) != manifest.digest) ++wrong;
        if (store->resolve("tag")->digest != manifest.digest) ++wrong;
      }
    };
    std::vector<std::future<void>> readers;
    for (int i = 0; i < 4; ++i) readers.push_back(std::async(std::launch::async, read));
    for (auto& reader : readers) reader.get();
    CHECK(wrong == 0);
  }
  SECTION("a blob is stored by its digest and given back; one that is there is not read again") {
    CHECK_FALSE(store->has_blob(digest));
    CountingSource first{text};
    store->put_blob(digest, text.size(), first);
    CountingSource second{text};
    open()->put_blob(digest, text.size(), second);
    CHECK(second.reads == 0);
    CHECK(open()->holds(digest, text.size()));
    CHECK_FALSE(open()->holds(crypto::sha256("no"), 2));
    CHECK(open()->blob_size(digest) == 5U);
    CHECK(oci::read_text(*open(), digest, 5) == text);
    CHECK(kind_of([&] { (void)oci::read_text(*store, digest, 4); }) == ErrorKind::invalid_input);
    CHECK(kind_of([&] { (void)oci::read_text(*store, crypto::sha256("no"), 4); }) == ErrorKind::not_found);
  }
  SECTION("a blob that is not what its digest or size says is refused, and nothing of it stays") {
    for (const auto& [content, size] : std::vector<std::pair<std::string, std::size_t>>{
             {"hullo", 5}, {"hell", 5}, {"hello!", 5}, {"hello", 6}, {"hello", 4}, {"", 5}}) {
      ViewSource source{as_bytes(content)};
      CHECK(kind_of([&] { store->put_blob(digest, size, source); }) == ErrorKind::verification_failed);
      CHECK_FALSE(open()->has_blob(digest));
    }
  }
  SECTION("a descriptor that lies about a size is found out while reading") {
    auto descriptor = blob(*store, text);
    for (const std::uint64_t size : {0U, 4U, 6U}) {
      descriptor.size = size;
      NullSink sink;
      CHECK(kind_of([&] { open()->read_blob(descriptor, sink); }) == ErrorKind::verification_failed);
    }
  }
  SECTION("a part of a blob is what follows its offset; another size than promised is found out") {
    auto descriptor = blob(*store, text);
    for (const std::uint64_t offset : {0U, 2U, 4U}) {
      StringSink sink{10};
      copy(*open()->open_blob_part(descriptor, offset), sink);
      CHECK(sink.text() == text.substr(static_cast<std::size_t>(offset)));
    }
    for (const std::uint64_t size : {4U, 6U}) {
      descriptor.size = size;
      NullSink sink;
      CHECK(kind_of([&] { copy(*open()->open_blob_part(descriptor, 2), sink); }) == ErrorKind::verification_failed);
    }
  }
  SECTION("sha512 is accepted, and checked") {
    crypto::Hasher hasher{crypto::HashAlgorithm::sha512};
    hasher.update(as_bytes(text));
    const auto strong = hasher.finish();
    ViewSource good{as_bytes(text)};
    store->put_blob(strong, 5, good);
    CHECK(oci::read_text(*open(), strong, 5) == text);
    ViewSource bad{as_bytes("hellO")};
    const auto other = Digest::parse("sha512:" + std::string(128, 'a'));
    CHECK(kind_of([&] { store->put_blob(other, 5, bad); }) == ErrorKind::verification_failed);
  }
  SECTION("a stream is named by what it turns out to be") {
    const auto stored = store->put_stream("text/plain", [&](Sink& sink) { sink.write(as_bytes(text)); });
    CHECK(stored.digest == digest);
    CHECK(stored.size == 5);
    CHECK(stored.media_type == "text/plain");
    CHECK(oci::read_text(*open(), stored, 5) == text);
    CHECK_THROWS(store->put_stream("text/plain", [](Sink& sink) {
      sink.write(as_bytes("half"));
      throw Error{ErrorKind::unavailable, "cut"};
    }));
    CHECK_FALSE(open()->has_blob(crypto::sha256("half")));
  }
  SECTION("a tag names a manifest, and moves") {
    CHECK_FALSE(store->resolve("1.0.0"));
    CHECK(store->tags().empty());
    const auto one = image_manifest(*store, "one");
    const auto two = image_manifest(*store, "two");
    const auto first = store->put_manifest(oci::media_type::image_manifest, one, "1.0.0");
    CHECK(first.digest == crypto::sha256(one));
    CHECK(open()->manifest(first.digest) == one);
    CHECK(open()->resolve("1.0.0")->digest == first.digest);
    CHECK(open()->resolve("1.0.0")->media_type == oci::media_type::image_manifest);
    CHECK_FALSE(open()->resolve("1.0"));
    open()->put_manifest(oci::media_type::image_manifest, two, "1.0.0");
    open()->put_listed_later(oci::media_type::image_manifest, two, "index-v-1.0.0");
    CHECK(store->resolve("1.0.0")->digest == crypto::sha256(two));
    CHECK(open()->tags() == std::vector<std::string>{"1.0.0", "index-v-1.0.0"});
    CHECK(open()->tags("index-v-") == std::vector<std::string>{"index-v-1.0.0"});
    CHECK(open()->manifest(first.digest) == one);  // a manifest stays, whatever its tag does
  }
  SECTION("a manifest is refused whose parts are missing, whose type is another, or that is none") {
    const auto good = image_manifest(*store, "content");
    const auto put = [&](std::string_view type, const std::string& bytes) {
      return kind_of([&] { store->put_manifest(type, bytes, "1.0.0"); });
    };
    auto missing = good;
    const auto layer = crypto::sha256("content").text();
    missing.replace(missing.find(layer), layer.size(), crypto::sha256("other").text());
    CHECK(put(oci::media_type::image_manifest, missing) == ErrorKind::invalid_input);
    CHECK(put(oci::media_type::image_index, good) == ErrorKind::invalid_input);
    CHECK(put("text/plain", good) == ErrorKind::invalid_input);
    CHECK(put(oci::media_type::image_manifest, "[]") == ErrorKind::invalid_input);
    CHECK(put(oci::media_type::image_manifest, good + " {}") == ErrorKind::invalid_input);
    CHECK(put(oci::media_type::image_manifest, good.substr(0, good.size() - 1) + R"(,"manifests":[]})") ==
          ErrorKind::invalid_input);
    CHECK(put(oci::media_type::image_manifest, good + std::string(Store::max_manifest_bytes, ' ')) ==
          ErrorKind::invalid_input);
    CHECK(kind_of([&] { store->put_manifest(oci::media_type::image_manifest, good, "no tag"); }) ==
          ErrorKind::invalid_input);
    CHECK_FALSE(open()->resolve("1.0.0"));
    CHECK(kind_of([&] { (void)store->manifest(crypto::sha256("nothing")); }) == ErrorKind::not_found);
  }
  SECTION("what is attached is found by its subject and type, with its annotations, in the order of its coming") {
    const auto subject = store->put_manifest(oci::media_type::image_manifest, image_manifest(*store, "s"), "1.0.0");
    const auto other = store->put_manifest(oci::media_type::image_manifest, image_manifest(*store, "t"), "2.0.0");
    const oci::Attachment record{"", std::string{oci::media_type::run_record}, "{\"run\":1}", {{"run-id", "1"}}};
    const oci::Attachment again{"", std::string{oci::media_type::run_record}, "{\"run\":2}", {{"run-id", "2"}}};
    const oci::Attachment bundle{"", std::string{oci::media_type::sigstore_bundle}, "{}", {}};
    const auto attached = oci::attach(*store, subject, record);
    CHECK(oci::attach(*open(), subject, record).digest == attached.digest);
    oci::attach(*store, subject, bundle);
    oci::attach(*store, subject, again);
    oci::attach(*store, other, record);
    CHECK(open()->referrers(subject.digest).size() == 3);
    CHECK(open()->referrers(attached.digest).empty());
    const auto found = oci::attached(*open(), subject.digest, oci::media_type::run_record, 1000);
    REQUIRE(found.size() == 2);
    CHECK(found[0].manifest.digest == attached.digest);
    CHECK(found[0].content == record.content);
    CHECK(found[0].content_digest == crypto::sha256(record.content));
    CHECK(found[0].annotations == record.annotations);
    CHECK(found[1].content == again.content);
    CHECK(open()->referrers(subject.digest, oci::media_type::run_record)[1].annotations == again.annotations);
    CHECK(oci::read_text(*open(), found[0].content_digest, 100) == record.content);
    CHECK(open()->tags() == std::vector<std::string>{"1.0.0", "2.0.0"});
  }
  SECTION("an attachment cannot make itself a tag or another's referrer; one that is too large hides no other") {
    const auto subject = store->put_manifest(oci::media_type::image_manifest, image_manifest(*store, "s"), "1.0.0");
    const std::string type = "application/x-note";
    oci::attach(*store, subject, {"", type, std::string(1000, 'x'), {}});
    oci::attach(*store, subject,
                {"",
                 type,
                 "small",
                 {{"org.opencontainers.image.ref.name", "2.0.0"},
                  {"ai.industriverse.capsule.subject", crypto::sha256("x").text()}}});
    CHECK(open()->tags() == std::vector<std::string>{"1.0.0"});
    CHECK(open()->referrers(crypto::sha256("x")).empty());
    const auto found = oci::attached(*open(), subject.digest, type, 100);
    REQUIRE(found.size() == 1);
    CHECK(found[0].content == "small");
  }
  SECTION("of very many referrers the first and the last are given") {
    const auto subject = store->put_manifest(oci::media_type::image_manifest, image_manifest(*store, "s"), "1.0.0");
    for (int i = 0; i < 70; ++i) oci::attach(*store, subject, {"", "application/x-note", std::to_string(i), {}});
    oci::attach(*store, subject, {"", "application/x-other", "last", {}});
    const auto found = oci::attached(*open(), subject.digest, "application/x-note", 100);
    REQUIRE(found.size() == Store::max_referrers);
    CHECK(found[0].content == "0");
    CHECK(found[31].content == "31");
    CHECK(found[32].content == "38");
    CHECK(found[63].content == "69");
    CHECK(oci::attached(*open(), subject.digest, "application/x-other", 100).size() == 1);
  }
  SECTION("exclusive work may nest and may write") {
    const auto manifest = image_manifest(*store, "s");
    store->exclusively([&] {
      open()->exclusively([&] { store->put_manifest(oci::media_type::image_manifest, manifest, "1.0.0"); });
      CHECK(open()->resolve("1.0.0"));
    });
    CHECK_THROWS(store->exclusively([] { throw Error{ErrorKind::conflict, "no"}; }));
    open()->exclusively([] {});
    CHECK_NOTHROW(store->require_writable());
  }
}
