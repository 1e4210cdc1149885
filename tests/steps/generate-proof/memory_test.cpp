#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <optional>
#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/parse.hpp"
#include "proof_memory.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using namespace generate_proof;
using namespace std::chrono_literals;

namespace {

const Digest index_digest = crypto::sha256("index");
const Digest record_digest = crypto::sha256("record");

fs::Path only_file(const fs::Path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    if (entry.path().extension() == ".json") return entry.path();
  }
  return {};
}

}  // namespace

TEST_CASE("a proof in progress is remembered, for its service alone, until it is forgotten") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const ProofMemory memory{folder.path() / "proofs", index_digest, record_digest, 1s};
  CHECK_FALSE(memory.recall("embedded"));
  memory.remember(
      {"embedded", "UTID:x", "proof_00000001", json::parse(R"([{"type":"x"}])", "e"), json::Object{{"done", true}}});
  const auto found = memory.recall("embedded");
  REQUIRE(found);
  CHECK(found->proof_id == "proof_00000001");
  CHECK(found->evidence.at_pointer("/0/type") != nullptr);
  CHECK(found->replay.has_value());
  CHECK_FALSE(memory.recall("https://proofs.example"));
  struct stat status {};
  REQUIRE(::stat(only_file(folder.path() / "proofs").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  memory.forget();
  memory.forget();
  CHECK_FALSE(memory.recall("embedded"));
}

TEST_CASE("a memory that cannot be read is none") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const ProofMemory memory{folder.path(), index_digest, record_digest, 1s};
  memory.remember({"embedded", "UTID:x", "", {}, {}});
  const auto file = only_file(folder.path());
  for (const std::string text : {"", "{", "[]", R"({"service":"embedded"})",
                                 R"({"service":"embedded","utid":1,"proof_id":"","evidence":null})"}) {
    fs::write_file(file, text);
    CHECK_FALSE(memory.recall("embedded"));
  }
}

TEST_CASE("runs do not share their memory") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const ProofMemory one{folder.path(), index_digest, record_digest, 1s};
  const ProofMemory other{folder.path(), index_digest, crypto::sha256("another record"), 1s};
  one.remember({"embedded", "UTID:x", "", {}, {}});
  CHECK_FALSE(other.recall("embedded"));
}

TEST_CASE("who works on the same proof is waited for, and no longer than that") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  std::optional<ProofMemory> first;
  first.emplace(folder.path(), index_digest, record_digest, 1s);
  const auto second = [&](std::chrono::milliseconds patience) {
    const ProofMemory memory{folder.path(), index_digest, record_digest, patience};
  };
  CHECK(kind_of([&] { second(10ms); }) == ErrorKind::busy);
  std::thread done{[&] {
    std::this_thread::sleep_for(700ms);  // longer than it is silent
    first.reset();
  }};
  CHECK_NOTHROW(second(60s));
  done.join();
}
