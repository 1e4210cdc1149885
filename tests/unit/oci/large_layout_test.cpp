#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <map>
#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/write.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "store_contract.hpp"

using namespace capsule;

namespace {

/// A layout whose index.json has many entries.
struct LargeLayout {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  oci::RegistryLocation registry = oci::RegistryLocation::parse("oci-layout:" + folder.path().string());
  fs::Path layout = folder.path() / "x";
  fs::Path own = layout / ".capsule-loop";
  std::unique_ptr<oci::Store> store = open();

  explicit LargeLayout(int entries) {
    std::string lines;
    for (int i = 0; i < entries; ++i) {
      oci::Descriptor entry{
          std::string{oci::media_type::image_manifest}, crypto::sha256(std::to_string(i)), 400, {}, {}, {}};
      if (i % 2 == 0) entry.annotations.emplace(oci::LayoutIndex::tag_annotation, fmt::format("0.{}.0", i));
      if (i % 2 == 1) entry.annotations.emplace(oci::LayoutIndex::subject_annotation, crypto::sha256("other").text());
      lines += json::compact(entry.to_json()) + (i + 1 < entries ? ",\n" : "\n");
    }
    write_index(text(), "]}\n", lines + "]}\n");
    put("first");  // writes the table
  }

  [[nodiscard]] std::unique_ptr<oci::Store> open() const { return oci::open_store(registry, "x", oci::Create::yes); }
  [[nodiscard]] std::string text() const { return fs::read_file(layout / "index.json", std::size_t{1} << 26U); }
  [[nodiscard]] oci::LayoutIndex index() const { return {text(), "index.json"}; }
  void write_index(std::string text, const std::string& from, const std::string& to) const {
    const auto at = text.rfind(from);
    REQUIRE(at != std::string::npos);
    fs::write_file(layout / "index.json", text.replace(at, from.size(), to));
  }

  static std::string manifest(std::string_view content) {
    return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"a":"{}"}}}})",
                       oci::media_type::image_index, content);
  }
  static Digest digest(std::string_view content) { return crypto::sha256(manifest(content)); }
  void put(std::string_view tag, std::string_view content = "content") const {
    store->put_manifest(oci::media_type::image_index, manifest(content), tag);
  }
  void put_later(std::string_view tag, std::string_view content = "content") const {
    store->put_listed_later(oci::media_type::image_index, manifest(content), tag);
  }
  [[nodiscard]] bool names(std::string_view tag, std::string_view content) const {
    const auto found = open()->resolve(tag);
    return found && found->digest == digest(content);
  }
};

/// Bytes that `work` reads and writes, however it does.
std::pair<std::uint64_t, std::uint64_t> bytes_of(const std::function<void()>& work) {
  const auto counted = [](std::string_view name) {
    const auto text = fs::read_file("/proc/self/io", 4096);
    return std::stoull(text.substr(text.find(name) + name.size()));
  };
  const auto read = counted("rchar: ");
  const auto written = counted("wchar: ");
  work();
  return {counted("rchar: ") - read, counted("wchar: ") - written};
}

constexpr std::string_view bundle_type = "a/b";

}  // namespace

TEST_CASE("a large OCI layout is a store like a small one") {
  check_store_contract([folder = std::make_shared<fs::TemporaryFolder>(fs::temporary_parent())] {
    const auto registry = oci::RegistryLocation::parse("oci-layout:" + folder->path().string());
    auto store = oci::open_store(registry, "x", oci::Create::yes);
    const auto index = folder->path() / "x" / "index.json";
    if (std::filesystem::file_size(index) < 16'384) {  // nobody's referrers, and then a table
      for (int i = 0; i < 100; ++i) {
        oci::attach(*store, {"a/b", crypto::sha256("nothing"), 1, {}, {}, {}}, {"", "a/b", std::to_string(i), {}});
      }
    }
    return store;
  });
}

TEST_CASE("what is asked of a layout with ten thousand versions costs a few KiB") {
  const LargeLayout f{60'000};
  oci::attach(*f.store, {"a/b", crypto::sha256("subject"), 1, {}, {}, {}},
              {"", std::string{bundle_type}, "bundle", {}});
  const auto subject = crypto::sha256("subject");
  constexpr std::uint64_t few = 8192;
  for (const auto& [what, work] : std::map<std::string, std::function<void()>>{
           {"a tag that is there", [&] { CHECK(f.open()->resolve("0.31000.0")->digest == crypto::sha256("31000")); }},
           {"one that is not", [&] { CHECK_FALSE(f.open()->resolve("0.31001.0")); }},
           {"a new tag", [&] { f.put_later("index-v-1.0.0"); }},
           {"a tag that moves", [&] { f.put_later("index", "two"); }},
           {"a tag that waits", [&] { CHECK(f.names("index", "two")); }},
           {"referrers", [&] { CHECK(f.open()->referrers(subject, bundle_type).size() == 1); }}}) {
    CAPTURE(what);
    f.put_later("index", what == "a tag that waits" ? "two" : "one");
    const auto [read, written] = bytes_of(work);
    CHECK(read < few);
    CHECK(written < few);
  }
  CHECK(f.text().size() > std::size_t{10} << 20U);
}

TEST_CASE("a tag that is listed later is read at once, and index.json has it with the next change") {
  const LargeLayout f{200};
  f.put("index", "one");
  const auto before = f.text();
  f.put_later("index", "two");
  f.put_later("index-v-1.0.0", "record");
  f.put_later("index", "three");
  CHECK(f.text() == before);
  CHECK(f.names("index", "three"));
  CHECK(f.open()->tags("index") == std::vector<std::string>{"index", "index-v-1.0.0"});
  f.put("1.0.0");
  CHECK(f.index().tagged("index")->digest == LargeLayout::digest("three"));
  CHECK(f.index().tagged("index-v-1.0.0")->digest == LargeLayout::digest("record"));
  CHECK(std::filesystem::is_empty(f.own / "pending"));
  CHECK(f.names("index", "three"));
  CHECK(f.open()->tags("index") == std::vector<std::string>{"index", "index-v-1.0.0"});
}

TEST_CASE("a small layout is exact for other tools at every moment, and has OCI's files only") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto store =
      oci::open_store(oci::RegistryLocation::parse("oci-layout:" + folder.path().string()), "x", oci::Create::yes);
  store->put_listed_later(oci::media_type::image_index, LargeLayout::manifest("one"), "index");
  const oci::LayoutIndex index{fs::read_file(folder.path() / "x" / "index.json", 10'000), "index.json"};
  CHECK(index.tagged("index")->digest == LargeLayout::digest("one"));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "x" / ".capsule-loop"));
}

TEST_CASE("what another tool sets in index.json goes before a tag that waits") {
  const LargeLayout f{200};
  f.put("index", "one");
  f.put_later("index", "two");
  SECTION("another tag: both count") {
    f.write_index(f.text(), "0.100.0", "new");
    CHECK(f.open()->resolve("new")->digest == crypto::sha256("100"));
    CHECK_FALSE(f.open()->resolve("0.100.0"));
    CHECK(f.names("index", "two"));
  }
  SECTION("the same one") {
    f.put("other", "theirs");
    f.put_later("index", "two again");
    f.write_index(f.text(), LargeLayout::digest("two").text(), LargeLayout::digest("theirs").text());
    CHECK(f.names("index", "theirs"));
    f.put("1.0.0");
    CHECK(f.names("index", "theirs"));
    CHECK(f.index().tagged("index")->digest == LargeLayout::digest("theirs"));
  }
  SECTION("a copy of the folder has all of it") {
    std::filesystem::copy(f.layout, f.folder.path() / "y", std::filesystem::copy_options::recursive);
    CHECK(oci::open_store(f.registry, "y")->resolve("index")->digest == LargeLayout::digest("two"));
    CHECK(oci::open_store(f.registry, "y")->resolve("0.100.0"));
  }
}

TEST_CASE("a table that is stale, broken or without end changes no answer") {
  const LargeLayout f{200};
  const auto subject = crypto::sha256("other");
  const auto table = fs::read_file(f.own / "lookup", 100'000);
  constexpr std::size_t head = 160;
  constexpr std::size_t row = 35;
  const auto check = [&](const std::string& text) {
    fs::write_file(f.own / "lookup", text);
    CHECK(f.open()->resolve("0.100.0")->digest == crypto::sha256("100"));
    CHECK(f.names("first", "content"));
  };
  f.put("second");
  CHECK(fs::read_file(f.own / "lookup", 100'000) != table);
  check(table);  // a kill between the two files
  const auto now = [&] {
    f.put(fs::random_name());
    return fs::read_file(f.own / "lookup", 100'000);
  };
  check(now().substr(0, 100));
  check(now() + "more");
  auto outside = now();
  for (std::size_t at = head; at < outside.size(); at += row) outside.replace(at + 17, 17, "ffffffff ffffffff");
  check(outside);
  auto flood = now();  // rows of one key without end
  const auto one = flood.substr(head, row);
  while (flood.size() < 200'000) flood += one;
  check(flood);
  auto shifted = now();
  for (std::size_t at = head; at < shifted.size(); at += row) shifted.replace(at + 17, 8, "00000004");
  check(shifted);
  auto letters = now();
  letters.replace(letters.size() - row, 16, "gggggggggggggggg");
  for (std::size_t at = head; at < letters.size(); at += row) letters[at] = 'z';
  check(letters);
  std::filesystem::remove(f.own / "lookup");
  std::filesystem::create_directory(f.own / "lookup");
  CHECK(f.names("first", "content"));
  f.put("third");  // with a warning
  CHECK(f.names("third", "content"));
}

TEST_CASE("a waiting tag that is no file of ours is refused by its name") {
  const LargeLayout f{200};
  f.put("index", "one");
  const auto waiting = f.own / "pending" / "index";
  const auto refused = [&] {
    try {
      (void)f.open()->resolve("index");
    } catch (const Error& error) {
      CHECK_THAT(error.message(), Catch::Contains(waiting.string()));
      return error.kind() == ErrorKind::invalid_input;
    }
    return false;
  };
  f.put_later("index", "two");
  for (const std::string& text : {std::string{}, std::string{"{}"},
                                  std::string{R"({"descriptor":{"digest":"sha256:00"}})"}, std::string(5000, ' ')}) {
    fs::write_file(waiting, text);
    CHECK(refused());
  }
  std::filesystem::remove(waiting);
  REQUIRE(::mkfifo(waiting.c_str(), 0600) == 0);
  CHECK(refused());
  std::filesystem::remove(waiting);
  std::filesystem::create_directory(waiting);
  CHECK(refused());
  std::filesystem::remove(waiting);
  CHECK(f.names("index", "one"));
}

TEST_CASE("a kill while waiting tags are taken over doubles and loses nothing") {
  const LargeLayout f{200};
  f.put("index", "one");
  f.put_later("index", "two");
  const auto waiting = fs::read_file(f.own / "pending" / "index", 10'000);
  f.put("1.0.0");
  fs::write_file(f.own / "pending" / "index", waiting);  // as if killed before it was removed
  CHECK(f.names("index", "two"));
  f.put_later("index", "three");
  CHECK(f.names("index", "three"));
  f.put("index", "four");
  fs::write_file(f.own / "pending" / "index", waiting);
  CHECK(f.names("index", "four"));
  f.put("2.0.0");
  CHECK(f.index().tagged("index")->digest == LargeLayout::digest("four"));
  CHECK(std::filesystem::is_empty(f.own / "pending"));
}

TEST_CASE("writers of a large layout that are killed lose nothing that they had put") {
  const LargeLayout f{200};
  std::map<std::string, std::string> promised;
  for (int round = 0; round < 20; ++round) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      for (std::uint8_t i = 0;; ++i) {  // of five changes one is listed at once
        const auto content = fmt::format("{}.{}", round, i);
        i % 5 == 4 ? f.put("1.0.0", content) : f.put_later(fmt::format("index-{}", i % 3), content);
        if (::write(pipe[1], &i, 1) != 1 || i == 200) ::_exit(0);
      }
    }
    ::close(pipe[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds{5 + 7 * round});
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    std::uint8_t i = 0;
    int last = -1;
    while (::read(pipe[0], &i, 1) == 1) {
      promised[i % 5 == 4 ? std::string{"1.0.0"} : fmt::format("index-{}", i % 3)] = fmt::format("{}.{}", round, i);
      last = i;
    }
    ::close(pipe[0]);
    const int next = last + 1;  // it may have been done, but not been said
    const auto next_tag = next % 5 == 4 ? std::string{"1.0.0"} : fmt::format("index-{}", next % 3);
    for (auto& [tag, content] : promised) {
      CAPTURE(round, tag, content);
      const bool done = tag == next_tag && f.names(tag, fmt::format("{}.{}", round, next));
      if (done) content = fmt::format("{}.{}", round, next);
      CHECK(f.names(tag, content));
    }
  }
}

TEST_CASE("writers of waiting tags and of index.json at once lose nothing") {
  const LargeLayout f{200};
  const auto write = [&f](int writer) {
    const auto store = f.open();
    for (int i = 0; i < 20; ++i) {
      const auto tag = fmt::format("t-{}-{}", writer, i);
      if (writer % 2 == 0) store->put_listed_later(oci::media_type::image_index, LargeLayout::manifest(tag), tag);
      if (writer % 2 == 1) store->put_manifest(oci::media_type::image_index, LargeLayout::manifest(tag), tag);
    }
  };
  std::vector<std::thread> threads;
  for (int writer = 0; writer < 4; ++writer) threads.emplace_back(write, writer);
  for (auto& thread : threads) thread.join();
  CHECK(f.open()->tags("t-").size() == 80);
  for (const auto& tag : f.open()->tags("t-")) CHECK(f.names(tag, tag));
}
