#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "oci/media_types.hpp"
#include "unit/index/fixture.hpp"

using namespace capsule;
using namespace capsule::index;
using namespace test;

TEST_CASE("two writers at once both end up in the index") {
  Fixture f;
  const auto writer = [&](const std::string& major) {
    const auto store = oci::open_store(f.registry, "metal");
    Index index{*store, f.registry.text(), "metal", f.trust, nullptr};
    for (int i = 0; i < 10; ++i) index.put(record(major + ".0." + std::to_string(i), major), *f.signer);
  };
  std::thread one{writer, "1"};
  std::thread two{writer, "2"};
  one.join();
  two.join();
  Index index{*f.store, f.registry.text(), "metal", f.trust, nullptr};
  CHECK(index.records().size() == 20);
  CHECK(index.find("latest").sequence == 20);
}

namespace {

/// A registry without a lock, in which another writer is at work while one waits for his own to settle.
class ContendedStore final : public oci::Store {
 public:
  ContendedStore(oci::Store& next, std::function<void()> other) : m_next(next), m_other(std::move(other)) {}
  std::optional<oci::Descriptor> resolve(std::string_view tag) override { return m_next.resolve(tag); }
  std::string manifest(const Digest& digest) override { return m_next.manifest(digest); }
  std::optional<std::uint64_t> blob_size(const Digest& digest) override { return m_next.blob_size(digest); }
  bool holds(const Digest& digest, std::uint64_t size) override { return m_next.holds(digest, size); }
  bool holds_manifest(const Digest& digest, std::uint64_t size) override { return m_next.holds_manifest(digest, size); }
  void require_writable() override { m_next.require_writable(); }
  std::unique_ptr<Source> open_blob(const oci::Descriptor& blob) override { return m_next.open_blob(blob); }
  void put_blob(const Digest& digest, std::uint64_t size, Source& content) override {
    m_next.put_blob(digest, size, content);
  }
  oci::Descriptor put_stream(std::string_view type, const std::function<void(Sink&)>& produce) override {
    return m_next.put_stream(type, produce);
  }
  oci::Descriptor put_manifest(std::string_view type, std::string_view bytes,
                               std::optional<std::string_view> tag) override {
    return m_next.put_manifest(type, bytes, tag);
  }
  std::vector<oci::Descriptor> referrers(const Digest& subject, std::string_view type) override {
    return m_next.referrers(subject, type);
  }
  std::vector<std::string> tags(std::string_view prefix) override { return m_next.tags(prefix); }
  void exclusively(const std::function<void()>& work) override { work(); }
  void settle() override {
    if (const auto other = std::exchange(m_other, {})) other();
  }

 private:
  oci::Store& m_next;
  std::function<void()> m_other;
};

/// Points the tag of the head at what it named before.
class EarlierHead {
 public:
  explicit EarlierHead(oci::Store& store) : m_store(store), m_bytes(oci::read_tagged(store, "index")->bytes) {}
  void restore() { m_store.put_manifest(oci::media_type::image_manifest, m_bytes, "index"); }

 private:
  oci::Store& m_store;
  std::string m_bytes;
};

std::vector<std::string> versions_in(Index index) {
  std::vector<std::string> out;
  for (const auto& found : index.records()) out.push_back(found.version);
  return out;
}

}  // namespace

TEST_CASE("a head that another writer put in the place of ours gets our record too") {
  Fixture f;
  f.index(nullptr).put(record("1.0.0"), *f.signer);
  EarlierHead first{*f.store};
  SeenHeads reader{f.folder.path() / "reader"};
  ContendedStore contended{*f.store, [&] {
                             CHECK(f.index(&reader).find("3.0.0").sequence == 2);  // the head that is about to be lost
                             first.restore();
                             f.index(nullptr).put(record("2.0.0"), *f.signer);
                           }};
  Index index{contended, f.registry.text(), "metal", f.trust, &f.seen};
  index.set_clock([&] { return f.clock; });
  const auto written = index.put(record("3.0.0"), *f.signer);
  CHECK(written.changed);
  CHECK(written.sequence == 3);
  CHECK(versions_in(f.index()) == std::vector<std::string>{"1.0.0", "2.0.0", "3.0.0"});
  CHECK(f.index(&reader).find("2.0.0").sequence == 3);
}

TEST_CASE("a writer that was so slow that its head took the place of one that stood merges them") {
  Fixture f;
  f.index().put(record("1.0.0"), *f.signer);
  EarlierHead first{*f.store};
  ContendedStore contended{*f.store, [&] {
                             EarlierHead slow{*f.store};
                             first.restore();
                             f.index().put(record("2.0.0"), *f.signer);  // done, and remembered on this machine
                             slow.restore();
                           }};
  Index index{contended, f.registry.text(), "metal", f.trust, &f.seen};
  index.set_clock([&] { return f.clock; });
  CHECK(index.put(record("3.0.0"), *f.signer).sequence == 3);
  CHECK(versions_in(f.index()) == std::vector<std::string>{"1.0.0", "2.0.0", "3.0.0"});
}

TEST_CASE("two heads of one sequence are an error for a reader, and merged by the next writer") {
  Fixture f;
  f.index().put(record("1.0.0"), *f.signer);
  EarlierHead first{*f.store};
  f.index().put(record("2.0.0"), *f.signer);
  first.restore();
  f.index(nullptr).put(record("3.0.0"), *f.signer);
  CHECK(kind_of([&] { f.index().find("3.0.0"); }) == ErrorKind::verification_failed);
  const auto written =
      f.index().put(record("3.0.0"), *f.signer);  // there already: the merged head is written all the same
  CHECK(written.sequence == 3);
  CHECK(versions_in(f.index()) == std::vector<std::string>{"1.0.0", "2.0.0", "3.0.0"});
  CHECK(f.index().find("latest").record.version == "3.0.0");
}
