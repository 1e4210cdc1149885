#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "oci/layout_index.hpp"
#include "oci/media_types.hpp"
#include "store_contract.hpp"
#include "support/error_kind.hpp"

using namespace capsule;

namespace {

oci::RegistryLocation layout_in(const fs::TemporaryFolder& folder) {
  return oci::RegistryLocation::parse("oci-layout:" + folder.path().string());
}

oci::Descriptor some_descriptor(std::string_view content) {
  return {std::string{oci::media_type::image_manifest}, crypto::sha256(content), content.size(), {}, {}, {}};
}

}  // namespace

TEST_CASE("an OCI layout in a folder is a store") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  check_store_contract([&] { return oci::open_store(layout_in(folder), "m2n2-metal", oci::Create::yes); });
}

TEST_CASE("a layout is made when it is asked for, and never by a reader") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  CHECK(kind_of([&] { (void)oci::open_store(layout_in(folder), "x"); }) == ErrorKind::not_found);
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(oci::repository_names(layout_in(folder)).empty());
  CHECK(oci::repository_names(oci::RegistryLocation::parse("oci-layout:/nowhere/at/all")).empty());
  oci::open_store(layout_in(folder), "x", oci::Create::yes);
  oci::open_store(layout_in(folder), "a", oci::Create::yes);
  std::filesystem::create_directory(folder.path() / "not-a-layout");
  CHECK(oci::repository_names(layout_in(folder)) == std::vector<std::string>{"a", "x"});
  CHECK(fs::read_file(folder.path() / "x" / "oci-layout", 100) == R"({"imageLayoutVersion":"1.0.0"})");
  CHECK(kind_of([&] { (void)oci::open_store(layout_in(folder), "../x"); }) == ErrorKind::invalid_input);
}

TEST_CASE("another tool's index.json is read, and its entries and annotations stay") {
  const auto manifest = crypto::sha256("m").text();
  const auto text = fmt::format(
      R"({{ "schemaVersion": 2, "annotations": {{"a":"b"}}, "manifests": [
        {{"mediaType":"{0}","digest":"{1}","size":1,"annotations":{{"org.opencontainers.image.ref.name":"1.0"}},"platform":{{"os":"linux","architecture":"amd64"}}}},
        {{"mediaType":"{0}","digest":"{1}","size":1}}]}})",
      oci::media_type::image_manifest, manifest);
  oci::LayoutIndex index{text, "index.json"};
  CHECK(index.tagged("1.0")->digest.text() == manifest);
  CHECK(index.unmarked(10).size() == 1);
  CHECK(index.unmarked(0).empty());
  CHECK(index.set_tag("2.0", some_descriptor("n")));
  CHECK_FALSE(index.set_tag("2.0", some_descriptor("n")));
  const auto written = index.text();
  CHECK(json::parse(written, "x").at_pointer("/annotations/a") != nullptr);
  CHECK(*json::parse(written, "x").at_pointer("/manifests/0/platform/os")->if_string() == "linux");
  const oci::LayoutIndex again{written, "index.json"};
  CHECK(again.tags("") == std::vector<std::string>{"1.0", "2.0"});
  CHECK(again.text() == written);
}

TEST_CASE("a hostile or broken index.json is refused, or names nothing") {
  const oci::LayoutIndex empty;
  CHECK(json::parse(empty.text(), "x").at_pointer("/manifests")->if_array()->empty());
  const auto own = [](std::string_view entries) {
    const auto text = oci::LayoutIndex{}.text();
    return text.substr(0, text.size() - 3) + std::string{entries} + "]}\n";
  };
  for (const std::string& text :
       {std::string{""}, std::string{"[]"}, std::string{R"({"schemaVersion":1,"manifests":[]})"},
        std::string{R"({"schemaVersion":2})"}, own("{}\n{}\n"),
        std::string{R"({"schemaVersion":2,"manifests":[{"digest":"sha256:00"}]})"}}) {
    CAPTURE(text);
    CHECK(kind_of([&] { const oci::LayoutIndex index{text, "index.json"}; }) == ErrorKind::invalid_input);
  }
  // A tag's text inside of another value is not that tag.
  auto sly = some_descriptor("n");
  sly.annotations.emplace("note", R"("org.opencontainers.image.ref.name":"9.9")");
  oci::LayoutIndex index;
  index.set_tag("1.0", sly);
  CHECK_FALSE(index.tagged("9.9"));
  const oci::LayoutIndex nested{
      own(fmt::format(
          R"({{"mediaType":"a/b","digest":"{}","size":1,"platform":{{"org.opencontainers.image.ref.name":"9.9"}}}})"
          "\n",
          crypto::sha256("x").text())),
      "index.json"};
  CHECK_FALSE(nested.tagged("9.9"));
}

TEST_CASE("a tag that moves away leaves a referrer where it was") {
  oci::LayoutIndex index;
  const auto subject = crypto::sha256("subject");
  index.set_tag("head", some_descriptor("one"));
  CHECK(index.add_referrer(subject, some_descriptor("one")));
  CHECK_FALSE(index.add_referrer(subject, some_descriptor("one")));
  index.set_tag("head", some_descriptor("two"));
  CHECK(index.referrers(subject).size() == 1);
  CHECK(index.tags("") == std::vector<std::string>{"head"});
}

TEST_CASE("ten thousand tags stay quick") {
  oci::LayoutIndex index;
  for (int i = 0; i < 10'000; ++i) index.add_referrer(crypto::sha256("s"), some_descriptor(std::to_string(i % 7)));
  std::string text = oci::LayoutIndex{}.text();
  text.resize(text.size() - 3);
  for (int i = 0; i < 20'000; ++i) {
    text += fmt::format(
        R"({}{{"mediaType":"{}","digest":"{}","size":400,"annotations":{{"org.opencontainers.image.ref.name":"1.0.{}"}}}})",
        i == 0 ? "" : ",\n", oci::media_type::image_manifest, crypto::sha256(std::to_string(i)).text(), i);
  }
  text += "\n]}\n";
  const auto start = std::chrono::steady_clock::now();
  oci::LayoutIndex large{text, "index.json"};
  CHECK(large.tagged("1.0.19999")->digest == crypto::sha256("19999"));
  CHECK(large.tags("1.0.1").size() == 11'111);
  large.set_tag("2.0.0", some_descriptor("n"));
  CHECK(large.text().size() > text.size());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds{2});
}

TEST_CASE("writers in several processes and threads lose nothing") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto registry = layout_in(folder);
  const auto subject = some_descriptor("subject");
  constexpr int writers = 4;
  constexpr int each = 10;
  const auto write = [&](int writer) {
    const auto store = oci::open_store(registry, "x", oci::Create::yes);
    for (int i = 0; i < each; ++i) oci::attach(*store, subject, {"", "a/b", fmt::format("{}.{}", writer, i), {}});
  };
  std::vector<pid_t> children;
  for (int writer = 0; writer < writers; ++writer) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        write(writer);
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
    children.push_back(child);
  }
  std::thread thread{[&] { write(writers); }};
  write(writers + 1);
  thread.join();
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  const oci::LayoutIndex index{fs::read_file(folder.path() / "x" / "index.json", 1U << 20U), "index.json"};
  CHECK(index.referrers(subject.digest).size() == (writers + 2) * each);
}

TEST_CASE("a blob that was changed in the folder is found out") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto store = oci::open_store(layout_in(folder), "x", oci::Create::yes);
  const auto blob = store->put_stream("a/b", [](Sink& sink) { sink.write(as_bytes("hello")); });
  fs::write_file(folder.path() / "x" / "blobs" / "sha256" / blob.digest.hex(), "hellO");
  CHECK(kind_of([&] { (void)oci::read_text(*store, blob, 10); }) == ErrorKind::verification_failed);
  CHECK(kind_of([&] { (void)store->manifest(blob.digest); }) == ErrorKind::verification_failed);
  fs::write_file(folder.path() / "x" / ".index.json.0123.tmp", "left by a kill");
  oci::attach(*store, blob, {"", "a/b", "note", {}});
  CHECK_FALSE(std::filesystem::exists(folder.path() / "x" / ".index.json.0123.tmp"));
  fs::write_file(folder.path() / "x" / "blobs" / "sha256" / blob.digest.hex(), "half");
  ViewSource source{as_bytes("hello")};
  CHECK_FALSE(store->holds(blob.digest, 5));
  store->put_blob(blob.digest, 5, source);  // what is broken is written again
  CHECK(oci::read_text(*store, blob, 10) == "hello");
  fs::write_file(folder.path() / "x" / "blobs" / "sha256" / blob.digest.hex(), "hellO");
  CHECK_FALSE(store->holds(blob.digest, 5));
  ViewSource again{as_bytes("hello")};
  store->put_blob(blob.digest, 5, again);  // of the same size too
  CHECK(store->holds(blob.digest, 5));
  CHECK_FALSE(store->holds(blob.digest, 4));
}

TEST_CASE("a tag that stands twice with different things names nothing") {
  const auto line = [](std::string_view content) {
    auto entry = some_descriptor(content);
    entry.annotations.emplace(oci::LayoutIndex::tag_annotation, "1.0");
    return json::compact(entry.to_json());
  };
  const auto text = [&](std::string_view one, std::string_view two) {
    return fmt::format(R"({{"schemaVersion":2,"manifests":[{},{}]}})", line(one), line(two));
  };
  oci::LayoutIndex twice{text("one", "two"), "index.json"};
  CHECK(kind_of([&] { (void)twice.tagged("1.0"); }) == ErrorKind::conflict);
  CHECK(kind_of([&] { (void)twice.set_tag("1.0", some_descriptor("one")); }) == ErrorKind::conflict);
  const oci::LayoutIndex own{twice.text(), "index.json"};
  CHECK(kind_of([&] { (void)own.tagged("1.0"); }) == ErrorKind::conflict);
  CHECK(oci::LayoutIndex{text("one", "one"), "index.json"}.tagged("1.0")->digest == crypto::sha256("one"));
}

TEST_CASE("a flood of another tool's referrers costs a bounded read, and hides no signature") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto store = oci::open_store(layout_in(folder), "x", oci::Create::yes);
  const auto subject = some_descriptor("subject");
  const auto signature = oci::attach(*store, subject, {"", "a/b", "signed", {}});
  const auto text = fs::read_file(folder.path() / "x" / "index.json", 10'000);
  std::string flood;
  for (int i = 0; i < 12; ++i) {
    const auto bytes = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{0}","artifactType":"a/b","config":{{"mediaType":"a/c","digest":"{1}","size":1}},)"
        R"("layers":[],"subject":{{"mediaType":"{0}","digest":"{1}","size":7}},"annotations":{{"n":"{2}{3}"}}}})",
        oci::media_type::image_manifest, subject.digest.text(), i, std::string(std::size_t{3} << 20U, 'x'));
    ViewSource source{as_bytes(bytes)};
    store->put_blob(crypto::sha256(bytes), bytes.size(), source);
    flood += json::compact(some_descriptor(bytes).to_json()) + ",\n";
  }
  const auto first = text.find('\n') + 1;
  fs::write_file(folder.path() / "x" / "index.json", text.substr(0, first) + flood + text.substr(first));
  const auto found = store->referrers(subject.digest, "a/b");
  REQUIRE(found.size() == 1 + 6);  // 16 MiB of 3 MiB each
  CHECK(found.front().digest == signature.digest);
}

TEST_CASE("what index.json says of a tag must be true of the blob") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto store = oci::open_store(layout_in(folder), "x", oci::Create::yes);
  const std::string bytes =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
  store->put_manifest(oci::media_type::image_index, bytes, "1.0.0");
  REQUIRE(oci::read_tagged(*store, "1.0.0").has_value());
  const auto index = folder.path() / "x" / "index.json";
  const auto text = fs::read_file(index, 10'000);
  const auto altered = [&](std::string from, const std::string& to) {
    auto copy = text;
    REQUIRE(copy.find(from) != std::string::npos);
    copy.replace(copy.rfind(from), from.size(), to);
    fs::write_file(index, copy);
    return kind_of([&] { (void)oci::read_tagged(*store, "1.0.0"); });
  };
  CHECK(altered(fmt::format("\"size\":{}", bytes.size()), "\"size\":1") == ErrorKind::verification_failed);
  CHECK(altered(std::string{oci::media_type::image_index}, std::string{oci::media_type::image_manifest}) ==
        ErrorKind::invalid_input);
}
