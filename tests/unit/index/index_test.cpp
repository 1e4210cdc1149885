#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>

#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "index/artifact.hpp"
#include "index/index.hpp"
#include "index/uri.hpp"
#include "oci/media_types.hpp"
#include "unit/index/fixture.hpp"

using namespace capsule;
using namespace capsule::index;
using namespace test;
using namespace std::chrono_literals;

namespace {

/// What is seen next goes on from what was seen before.
void goes_on(const HeadId& /*seen*/) {}

BlobEntry store_record(Fixture& f, const std::string& version) {
  const auto one = record(version);
  const attest::Statement statement{{{"capsule", one.capsule_digest}, {"version-index", one.index_digest}},
                                    "https://industriverse.ai/capsule-index-record/v1",
                                    one.to_json()};
  return store_artifact(
             *f.store,
             {"index-v-" + version, oci::media_type::index_record, attest::sign_statement(statement, *f.signer), {}})
      .content;
}

/// The first head over those pages, which are stored.
Head head_over(Fixture& f, const std::map<std::string, Page>& pages, std::uint64_t count, std::string latest) {
  Head head;
  head.name = "metal";
  head.sequence = 1;
  head.issued_at = format_time(f.clock);
  head.expires_at = format_time(f.clock + head_lifetime);
  head.count = count;
  head.latest = std::move(latest);
  for (const auto& [number, page] : pages) head.pages.emplace(number, store_blob(*f.store, page.text()));
  return head;
}

attest::Statement statement_about(const Head& head) {
  return {{{"index", crypto::sha256("head")}}, "https://industriverse.ai/capsule-index-head/v1", head.to_json()};
}

void store_head(Fixture& f, const attest::Statement& statement, const Head& head) {
  std::vector<BlobEntry> pages;
  for (const auto& [number, entry] : head.pages) pages.push_back(entry);
  store_artifact(*f.store, {"index", oci::media_type::index_head, attest::sign_statement(statement, *f.signer), pages});
}

std::vector<std::string> versions_of(Index& index) {
  std::vector<std::string> out;
  for (const auto& one : index.records()) out.push_back(one.version);
  return out;
}

}  // namespace

TEST_CASE("a capsule URI has one form") {
  const auto uri = CapsuleUri::parse("capsule://m2n2-metal:0.1.0?proof=true");
  CHECK(uri.name == "m2n2-metal");
  CHECK(uri.version == "0.1.0");
  CHECK(uri.proof == CapsuleUri::Proof::required);
  CHECK(uri.text() == "capsule://m2n2-metal:0.1.0?proof=true");
  CHECK(CapsuleUri::parse("capsule://host.example:5000/base/x/metal:latest").registry == "host.example:5000/base/x");
  CHECK(CapsuleUri::parse("capsule://metal@sha256:" + std::string(64, 'a')).digest.has_value());
  for (const std::string bad : {"capsule:metal:1.0.0",
                                "CAPSULE://metal:1.0.0",
                                "capsule://Metal:1.0.0",
                                "capsule://metal",
                                "capsule://metal:",
                                "capsule://metal:1.0",
                                "capsule://%6detal:1.0.0",
                                "capsule://metal:1.0.0?proof=true&proof=false",
                                "capsule://metal:1.0.0?proof=TRUE",
                                "capsule://metal:1.0.0?x=1",
                                "capsule://metal:1.0.0#f",
                                "capsule://user@host/metal:1.0.0",
                                "capsule://host/../metal:1.0.0",
                                "capsule://host//metal:1.0.0",
                                "capsule://met\xc3\xa4l:1.0.0",
                                "capsule://metal:1.0.0 ",
                                "capsule://metal:1.0.0@sha256:00",
                                "capsule:///metal:1.0.0",
                                "capsule://host:0/metal:1.0.0",
                                "capsule://metal:1.0.0+build"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(CapsuleUri::parse(bad), Error);
  }
}

TEST_CASE("credentials in a capsule URI are refused, and not shown") {
  for (const std::string bad : {"capsule://bob:hunter2@host.example/base/metal:1.0.0",
                                "capsule://bob:hunter2@host.example/base/metal@sha256:00"})
    CHECK_THROWS_WITH(CapsuleUri::parse(bad), !Catch::Contains("hunter2"));
}

TEST_CASE("what is put in is found, latest by semver") {
  Fixture f;
  auto index = f.index();
  CHECK(kind_of([&] { (void)index.find("1.0.0"); }) == ErrorKind::not_found);
  CHECK(index.put(record("1.9.0"), *f.signer).sequence == 1);
  CHECK(index.put(record("1.10.0", "b"), *f.signer).sequence == 2);
  CHECK(index.put(record("1.10.0-rc.1", "c"), *f.signer).sequence == 3);
  CHECK(index.find("latest").record.version == "1.10.0");
  CHECK(index.find("1.9.0").record.capsule_digest == crypto::sha256("content"));
  CHECK(versions_of(index) == std::vector<std::string>{"1.9.0", "1.10.0-rc.1", "1.10.0"});
  CHECK(kind_of([&] { (void)index.find("2.0.0"); }) == ErrorKind::not_found);
}

TEST_CASE("all records are read under one look at the head") {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.index().put(record(fmt::format("1.{}.0", i)), *f.signer);
  auto index = f.index();
  int heads = 0;
  index.set_clock([&] {
    ++heads;
    return f.clock;
  });
  CHECK(index.records().size() == 5);
  CHECK(heads == 1);
}

TEST_CASE("putting the same again writes nothing, new facts make a new revision, other bytes a conflict") {
  Fixture f;
  auto index = f.index();
  const auto first = index.put(record("1.0.0"), *f.signer);
  CHECK(first.changed);
  const auto again = index.put(record("1.0.0"), *f.signer);
  CHECK_FALSE(again.changed);
  CHECK(again.sequence == 1);
  auto proved = record("1.0.0");
  proved.proof = ProofEntry{"proof_00000001", crypto::sha256("bundle")};
  CHECK(index.put(proved, *f.signer).sequence == 2);
  CHECK(index.find("1.0.0").record.previous == first.record_digest);
  CHECK(kind_of([&] { (void)index.put(record("1.0.0", "other"), *f.signer); }) == ErrorKind::conflict);
}

TEST_CASE("a head is refused when it is old, expired, from the future, or signed by a stranger") {
  Fixture f;
  f.index().put(record("1.0.0"), *f.signer);
  const auto old_head = f.store->resolve("index");
  const auto old_manifest = f.store->manifest(old_head->digest);
  f.index().put(record("1.1.0", "b"), *f.signer);
  SECTION("rollback") {
    f.store->put_manifest(oci::media_type::image_manifest, old_manifest, "index");
    CHECK(kind_of([&] { (void)f.index().find("1.0.0"); }) == ErrorKind::verification_failed);
    CHECK_NOTHROW(f.index(nullptr).find("1.0.0"));  // who remembers nothing cannot notice
  }
  SECTION("freeze") {
    f.clock += 31 * 24h;
    CHECK(kind_of([&] { (void)f.index().find("1.0.0"); }) == ErrorKind::verification_failed);
    f.index().put(record("1.0.0"), *f.signer);  // register signs it anew
    CHECK_NOTHROW(f.index().find("1.0.0"));
  }
  SECTION("future") {
    f.clock -= 1h;
    CHECK(kind_of([&] { (void)f.index().find("1.0.0"); }) == ErrorKind::verification_failed);
    f.index().put(record("1.0.0"), *f.signer);  // so it does where its signer's clock was wrong
    CHECK_NOTHROW(f.index().find("1.0.0"));
  }
  SECTION("tolerance") {
    f.clock -= 4min;
    CHECK_NOTHROW(f.index().find("1.0.0"));
  }
  SECTION("stranger") {
    const auto other = f.make_signer();
    f.trust = attest::TrustPolicy::from_key(other->public_key());
    CHECK(kind_of([&] { (void)f.index().find("1.0.0"); }) == ErrorKind::verification_failed);
  }
}

TEST_CASE("a head that another process has found is held against what was seen, and remembered") {
  Fixture f;
  const auto seen_of = [&](const char* reader) {
    return SeenHeads{f.folder.path() / reader}.of(f.registry.text(), "metal");
  };
  const auto put = [&](const char* version, const char* reader) {
    SeenHeads own{f.folder.path() / reader};
    f.index(nullptr).put(record(version, version), *f.signer);
    (void)f.index(&own).find(version);
    return *seen_of(reader);
  };
  const auto older = put("1.0.0", "a");
  const auto newer = put("1.1.0", "b");
  SeenHeads memory{f.folder.path() / "c"};
  f.index(&memory).hold(older.digest);
  CHECK(seen_of("c")->sequence == 1);
  f.index(&memory).hold(newer.digest);
  CHECK(seen_of("c")->digest == newer.digest);
  CHECK_THROWS_WITH(f.index(&memory).hold(older.digest), Catch::Contains("rollback"));
  CHECK(kind_of([&] { f.index(&memory).hold(crypto::sha256("nothing")); }) == ErrorKind::not_found);
  f.trust = attest::TrustPolicy::from_key(f.make_signer()->public_key());
  CHECK(kind_of([&] { f.index(&memory).hold(newer.digest); }) == ErrorKind::verification_failed);
}

TEST_CASE("a head that does not go on from the one that was seen is refused, whatever its number") {
  Fixture f;
  SeenHeads reader{f.folder.path() / "reader"};
  f.index().put(record("1.0.0"), *f.signer);
  const auto first_head = f.store->manifest(f.store->resolve("index")->digest);
  f.index().put(record("1.1.0", "b"), *f.signer);
  CHECK(f.index(&reader).find("1.1.0").sequence == 2);
  SECTION("a writer that remembers nothing works on an old copy") {
    f.store->put_manifest(oci::media_type::image_manifest, first_head, "index");
    f.index(nullptr).put(record("1.2.0", "c"), *f.signer);
    f.index(nullptr).put(record("1.3.0", "d"), *f.signer);
    CHECK_NOTHROW(f.index(nullptr).find("1.3.0"));
    for (int again = 0; again < 2; ++again) {
      CHECK_THROWS_WITH((void)f.index(&reader).find("1.0.0"),
                        Catch::Contains("fork") && Catch::Contains((f.folder.path() / "reader").string()));
    }
  }
  SECTION("many changes later") {
    for (int i = 0; i < 80; ++i) f.index().put(record(fmt::format("2.0.{}", i), "e"), *f.signer);
    const auto bundle = load_artifact(*f.store, "index", 1U << 20U)->content;
    const auto statement = attest::verify_statement(bundle, f.trust.keys(attest::Role::index, "metal"),
                                                    "https://industriverse.ai/capsule-index-head/v1");
    const auto heads = Head::from_json(statement.predicate).history;
    REQUIRE(heads.size() == Head::max_history);
    const auto earlier = f.folder.path() / "registry/metal/blobs/sha256" / heads.back().digest.hex();
    std::filesystem::rename(earlier, f.folder.path() / "kept");
    CHECK_THROWS_WITH((void)f.index(&reader).find("1.0.0"), Catch::Contains("not there any more"));
    std::filesystem::rename(f.folder.path() / "kept", earlier);
    CHECK(f.index(&reader).find("1.0.0").sequence == 82);
    std::filesystem::remove(earlier);
    f.index().put(record("3.0.0", "f"), *f.signer);
    CHECK(f.index(&reader).find("3.0.0").sequence == 83);
  }
}

TEST_CASE("an index of another name is refused") {
  Fixture f;
  f.index().put(record("1.0.0"), *f.signer);
  Index other{*f.store, f.registry.text(), "gold", f.trust, nullptr};
  other.set_clock([&] { return f.clock; });
  CHECK(kind_of([&] { (void)other.find("1.0.0"); }) == ErrorKind::verification_failed);
}

TEST_CASE("a head that its readers would refuse is not written") {
  Fixture f;
  const auto stranger = f.make_signer();
  CHECK(kind_of([&] { (void)f.index().put(record("1.0.0"), *stranger); }) == ErrorKind::verification_failed);
  CHECK_FALSE(f.store->resolve("index"));
  CHECK_FALSE(f.store->resolve("index-v-1.0.0"));
}

TEST_CASE("a writer remembers its own head") {
  Fixture f;
  f.index().put(record("1.0.0"), *f.signer);
  CHECK(f.seen.of(f.registry.text(), "metal")->sequence == 1);
}

TEST_CASE("what was seen of a layout is found again however its folder is typed") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = std::filesystem::canonical(folder.path());
  std::filesystem::create_directories(root / "one/registry");
  std::filesystem::create_directories(root / "two/registry");
  std::filesystem::create_directory_symlink(root / "one/registry", root / "link");
  SeenHeads seen{root / "state"};
  seen.check_and_remember("oci-layout:" + (root / "one/registry").string(), "metal", {2, crypto::sha256("2")}, goes_on);
  const auto started_in = std::filesystem::current_path();
  std::filesystem::current_path(root / "one");
  for (const auto& typed : {root.string() + "/one/../one/registry", "/" + root.string() + "/one/registry",
                            root.string() + "/one/registry/", root.string() + "/one/./registry",
                            root.string() + "/link", std::string{"registry"}, std::string{"./registry"}}) {
    CAPTURE(typed);
    const auto back = [&] {
      seen.check_and_remember("oci-layout:" + typed, "metal", {1, crypto::sha256("1")}, goes_on);
    };
    CHECK(kind_of(back) == ErrorKind::verification_failed);
  }
  std::filesystem::current_path(root / "two");
  CHECK_NOTHROW(seen.check_and_remember("oci-layout:registry", "metal", {1, crypto::sha256("1")}, goes_on));
  std::filesystem::current_path(started_in);
}

TEST_CASE("what is remembered elsewhere counts beside the state folder, and is told of each good head") {
  struct Elsewhere final : HeadsElsewhere {
    std::map<std::string, HeadId> heads;
    std::optional<HeadId> last;
    std::optional<HeadId> of(const std::string& registry, const std::string&) override {
      const auto found = heads.find(registry);
      return found == heads.end() ? std::nullopt : std::optional{found->second};
    }
    void saw(const std::string&, const std::string&, const HeadId& now) override { last = now; }
    [[nodiscard]] std::string where() const override { return "an object"; }
  };
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  Elsewhere elsewhere;
  const std::string registry = "oci://host.example/base";
  const HeadId first{1, crypto::sha256("1")};
  const HeadId second{2, crypto::sha256("2")};
  const auto check = [&](const HeadId& now, const auto& descent, const std::string& at) {
    SeenHeads{folder.path() / fs::random_name(), &elsewhere}.check_and_remember(at, "metal", now, descent);
  };
  check(first, goes_on, registry);
  CHECK(elsewhere.last == first);
  elsewhere.heads.emplace(registry, second);
  elsewhere.last.reset();
  CHECK_THROWS_WITH([&] { check(first, goes_on, registry); }(),
                    Catch::Contains("rollback") && Catch::Contains("an object"));
  CHECK(kind_of([&] { check({2, crypto::sha256("other")}, goes_on, registry); }) == ErrorKind::verification_failed);
  CHECK_FALSE(elsewhere.last);
  std::optional<HeadId> held_against;
  check(
      {3, crypto::sha256("3")}, [&](const HeadId& seen) { held_against = seen; }, registry);
  CHECK(held_against == second);
  CHECK(elsewhere.last->sequence == 3);
  check(first, goes_on, "oci://another.example/base");
  SeenHeads empty{folder.path() / "empty", &elsewhere};
  CHECK(empty.of(registry, "metal") == second);
}

TEST_CASE("readers at once never set back what was seen") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  constexpr std::uint64_t readers = 8;
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<std::thread> threads;
    for (std::uint64_t i = 1; i <= readers; ++i) {
      threads.emplace_back([&folder, sequence = round * readers + i] {
        SeenHeads seen{folder.path()};
        const HeadId now{sequence, crypto::sha256(std::to_string(sequence))};
        try {
          seen.check_and_remember("oci://host.example/base", "metal", now, goes_on);
        } catch (const Error&) {
          return;  // another reader saw a later one before
        }
      });
    }
    for (auto& thread : threads) thread.join();
    REQUIRE(SeenHeads{folder.path()}.of("oci://host.example/base", "metal")->sequence == (round + 1) * readers);
  }
}

TEST_CASE("a head without page_bits has 256 pages, is read as it is, and brought to 64 when it is next written") {
  Fixture f;
  std::map<std::string, Page> pages;
  for (int i = 0; i < 40; ++i) {
    const auto version = fmt::format("1.{}.0", i);
    const auto stored = store_record(f, version);
    pages[page_of(version, 8)].records.emplace(version, stored);
  }
  Head head = head_over(f, pages, 40, "1.39.0");
  head.bits = 8;
  auto statement = statement_about(head);
  auto predicate = *statement.predicate.if_object();
  json::Object old;
  for (const auto& [key, value] : predicate) {
    if (key != "page_bits") old.set(key, value);
  }
  statement.predicate = old;
  CHECK(Head::from_json(statement.predicate).bits == 8);
  store_head(f, statement, head);
  CHECK(f.index().records().size() == 40);
  CHECK(f.index().find("1.7.0").record.version == "1.7.0");
  CHECK_FALSE(f.index().put(record("1.7.0"), *f.signer).changed);
  CHECK(f.index().put(record("2.0.0", "b"), *f.signer).sequence == 2);
  CHECK(f.index().records().size() == 41);
  for (int i = 0; i < 40; ++i)
    CHECK(f.index().find(fmt::format("1.{}.0", i)).record.version == fmt::format("1.{}.0", i));
  CHECK(f.index().find("latest").record.version == "2.0.0");
}

TEST_CASE("at ten thousand versions each document is small enough for 64 KiB in all") {
  Fixture f;
  std::map<std::string, Page> pages;
  for (int i = 0; i < 10'000; ++i) {
    const auto version = fmt::format("10.{}.{}", i / 100, i % 100);
    pages[page_of(version)].records.emplace(version, BlobEntry{crypto::sha256(version), 2000});
  }
  const auto head = head_over(f, pages, 10'000, "10.99.99");
  store_head(f, statement_about(head), head);
  const auto blobs = [&] {
    std::map<std::string, std::uint64_t> out;
    for (const auto& entry : std::filesystem::directory_iterator{f.folder.path() / "registry/metal/blobs/sha256"})
      out.emplace(entry.path().filename(), entry.file_size());
    return out;
  };
  const auto before = blobs();
  CHECK(f.index().put(record("10.50.50-rc.1"), *f.signer).changed);
  std::uint64_t written = 0;
  for (const auto& [name, size] : blobs()) written += before.contains(name) ? 0 : size;
  // What is read is what the next one reads: head, its manifest, one page, and a record with its manifest.
  CHECK(written > 20'000);
  CHECK(written < 48'000);
  for (const auto& [number, page] : pages) CHECK(page.text().size() < 24'000);
}
