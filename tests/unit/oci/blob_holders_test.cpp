#include "oci/blob_holders.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

using namespace capsule;
using oci::BlobHolders;
using Names = std::vector<std::string>;

namespace {

struct Fixture {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  fs::Path place = folder.path() / "uploads";
  Url registry = Url::parse("https://registry.example:5000/");
  BlobHolders holders{place, registry};
  Digest blob = crypto::sha256("a");

  [[nodiscard]] std::vector<fs::Path> files() const {
    std::vector<fs::Path> out;
    for (const auto& entry : std::filesystem::directory_iterator{place}) out.push_back(entry.path());
    return out;
  }
};

}  // namespace

TEST_CASE("who holds a blob is remembered, the last one first, for each registry") {
  Fixture f;
  CHECK(f.holders.of(f.blob).empty());
  for (const std::string name : {"a", "b/c", "d", "a", "e", "f"}) f.holders.add(f.blob, name);
  CHECK(f.holders.of(f.blob) == Names{"f", "e", "a", "d"});
  CHECK(f.holders.of(crypto::sha256("b")).empty());
  CHECK(BlobHolders{f.place, Url::parse("https://other.example/")}.of(f.blob).empty());
  CHECK(BlobHolders{f.place, f.registry}.of(f.blob).size() == 4);
  REQUIRE(f.files().size() == 1);
  CHECK((std::filesystem::status(f.files()[0]).permissions() & std::filesystem::perms::others_read) ==
        std::filesystem::perms::none);
  const BlobHolders nowhere{{}, f.registry};
  nowhere.add(f.blob, "a");
  CHECK(nowhere.of(f.blob).empty());
}

TEST_CASE("a record that cannot be read or written is none") {
  Fixture f;
  f.holders.add(f.blob, "a");
  const auto path = f.files().at(0);
  for (const std::string& junk :
       {std::string{}, std::string{"["}, std::string(5000, ' '), std::string{R"({"repositories":[1]})"},
        std::string{R"({"repositories":["../a","A","a//b",""]})"}}) {
    CAPTURE(junk);
    fs::write_file(path, junk);
    CHECK(f.holders.of(f.blob).empty());
  }
  f.holders.add(f.blob, "b");
  CHECK(f.holders.of(f.blob) == Names{"b"});
  const BlobHolders impossible{path / "x", f.registry};
  impossible.add(f.blob, "a");
  CHECK(impossible.of(f.blob).empty());
}

TEST_CASE("the newest records stay") {
  Fixture f;
  f.holders.add(f.blob, "a");
  const auto old = f.files().at(0);
  std::filesystem::last_write_time(old, std::filesystem::file_time_type::clock::now() - std::chrono::hours{1});
  for (std::size_t i = 1; i < BlobHolders::max_blobs; ++i) fs::write_file(f.place / fmt::format("{}.holders", i), "{}");
  fs::write_file(f.place / "another.upload", "{}");
  f.holders.add(crypto::sha256("new"), "a");
  CHECK(f.files().size() == BlobHolders::max_blobs + 1);
  CHECK_FALSE(std::filesystem::exists(old));
  CHECK(f.holders.of(crypto::sha256("new")) == Names{"a"});
}
