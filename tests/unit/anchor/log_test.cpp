#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "anchor/anchor.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/write.hpp"

using namespace capsule;
using namespace capsule::anchor;

namespace {

struct LogKey {
  crypto::KeyPair pair = crypto::generate_key(crypto::KeyType::ed25519);
  fs::TemporaryFolder folder{fs::temporary_parent()};
  std::unique_ptr<crypto::Signer> signer = [this] {
    const auto file = folder.path() / "key.pem";
    fs::write_file(file, pair.private_pem.reveal(), 0600);
    return crypto::open_signer(file.string(), {});
  }();
};

/// The tree's hashes computed from all leaves, by the definition of RFC 6962 §2.1.
TreeHash naive_root(const std::vector<TreeHash>& leaves, std::size_t begin, std::size_t size) {
  if (size == 1) return leaves[begin];
  std::size_t left = 1;
  while (left * 2 < size) left *= 2;
  return node_hash(naive_root(leaves, begin, left), naive_root(leaves, begin + left, size - left));
}

Digest digest_of(int number) {
  return crypto::sha256(std::to_string(number));
}

}  // namespace

TEST_CASE("leaf and empty-tree hashes are those of RFC 6962") {
  CHECK(to_hex(leaf_hash(as_bytes(""))) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  CHECK(to_hex(root_hash(0, {})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("every audit path of every tree up to 40 leaves leads to the root, and no altered one does") {
  std::vector<TreeHash> leaves;
  const HashReader hashes = [&](unsigned level, std::uint64_t index) {
    return naive_root(leaves, index << level, std::size_t{1} << level);
  };
  for (std::uint64_t size = 1; size <= 40; ++size) {
    leaves.push_back(leaf_hash(as_bytes(std::to_string(size))));
    const auto root = root_hash(size, hashes);
    REQUIRE(root == naive_root(leaves, 0, size));
    for (std::uint64_t index = 0; index < size; ++index) {
      auto path = inclusion_path(index, size, hashes);
      REQUIRE(path_leads_to(root, leaves[index], index, size, path));
      REQUIRE_FALSE(path_leads_to(root, leaves[index], (index + 1) % (size + 1), size, path));
      path.push_back(root);
      REQUIRE_FALSE(path_leads_to(root, leaves[index], index, size, path));
      path.pop_back();
      if (path.empty()) continue;
      path.back()[0] ^= std::byte{1};
      REQUIRE_FALSE(path_leads_to(root, leaves[index], index, size, path));
      path.pop_back();
      REQUIRE_FALSE(path_leads_to(root, leaves[index], index, size, path));
    }
  }
}

TEST_CASE("a checkpoint is a signed note that only its key and its text verify") {
  const LogKey key;
  const LogKey other;
  const Checkpoint checkpoint{"log.example/a", 7, leaf_hash(as_bytes("x"))};
  const auto note = sign_checkpoint(checkpoint, *key.signer);
  const auto read = verify_checkpoint(note, key.signer->public_key());
  CHECK(read.origin == "log.example/a");
  CHECK(read.size == 7);
  CHECK(read.root == checkpoint.root);
  CHECK_THROWS_AS(verify_checkpoint(note, other.signer->public_key()), Error);
  auto forged = note;
  forged.replace(forged.find("\n7\n"), 3, "\n8\n");
  CHECK_THROWS_AS(verify_checkpoint(forged, key.signer->public_key()), Error);
  CHECK_THROWS_AS(verify_checkpoint(note.substr(0, note.find("\n\n") + 1), key.signer->public_key()), Error);
  CHECK(vkey_of("log.example/a", key.signer->public_key()).starts_with("log.example/a+"));
}

TEST_CASE("a log over several tiles proves each of its entries") {
  const LogKey key;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  TileLog log{folder.path() / "log", "local", nullptr};
  std::vector<Inclusion> early;
  for (int i = 0; i < 600; ++i) {
    const auto entry = fmt::format("entry {}", i);
    const auto inclusion = log.append_once(std::to_string(i), entry, *key.signer);
    REQUIRE(inclusion.index == static_cast<std::uint64_t>(i));
    if (i % 97 == 0) early.push_back(inclusion);
  }
  CHECK(log.checkpoint(key.signer->public_key())->size == 600);
  CHECK(std::filesystem::exists(folder.path() / "log/tile/0/001"));
  CHECK(std::filesystem::exists(folder.path() / "log/tile/1/000.p/2"));
  for (auto& inclusion : early) verify_inclusion(inclusion, "local", key.signer->public_key());
  for (const int i : {0, 255, 256, 511, 599}) {
    const auto again = log.append_once(std::to_string(i), "another text under the same key", *key.signer);
    CHECK(again.entry == fmt::format("entry {}", i));
    verify_inclusion(again, "local", key.signer->public_key());
  }
  CHECK(log.checkpoint(key.signer->public_key())->size == 600);
  CHECK_THROWS_AS((TileLog{folder.path() / "log", "other", nullptr}.checkpoint(key.signer->public_key())), Error);
}

TEST_CASE("an append that was killed before its checkpoint is completed by the next") {
  const LogKey key;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = folder.path() / "log";
  TileLog log{root, "local", nullptr};
  log.append_once("a", "first", *key.signer);
  const auto before = fs::read_file(root / "checkpoint", 4096);
  log.append_once("b", "second", *key.signer);
  fs::write_file(root / "checkpoint", before);  // as if killed just before it was written
  CHECK(log.checkpoint(key.signer->public_key())->size == 1);
  const auto third = log.append_once("c", "third", *key.signer);
  CHECK(third.index == 1);
  verify_inclusion(third, "local", key.signer->public_key());
  const auto second = log.append_once("b", "second", *key.signer);
  CHECK(second.index == 2);
  verify_inclusion(second, "local", key.signer->public_key());
}

TEST_CASE("a key that is not the log's appends nothing") {
  const LogKey key;
  const LogKey stranger;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = folder.path() / "log";
  TileLog log{root, "local", nullptr};
  CHECK_FALSE(std::filesystem::exists(root));
  log.append_once("a", "first", *key.signer);
  const auto before = fs::read_file(root / "checkpoint", 4096);
  for (const std::string name : {"a", "b"}) CHECK_THROWS_AS(log.append_once(name, "entry", *stranger.signer), Error);
  CHECK(fs::read_file(root / "checkpoint", 4096) == before);
  CHECK_FALSE(std::filesystem::exists(root / "tile/0/000.p/2"));
  CHECK(log.append_once("b", "second", *key.signer).index == 1);
}

TEST_CASE("a log signs nothing that contradicts what it signed before") {
  const LogKey key;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = folder.path() / "log";
  const SeenCheckpoints seen{folder.path() / "state"};
  TileLog log{root, "local", &seen};
  log.append_once("a", "first", *key.signer);
  const auto old_copy = folder.path() / "old";
  std::filesystem::copy(root, old_copy, std::filesystem::copy_options::recursive);
  log.append_once("b", "second", *key.signer);
  const auto before = fs::read_file(root / "checkpoint", max_note_bytes);
  std::string word;
  bool by_memory = false;  // whoever remembers nothing cannot notice
  SECTION("a byte of a tile was changed") {
    auto tile = fs::read_file(root / "tile/0/000.p/2", 64);
    tile[40] = static_cast<char>(tile[40] ^ 1);
    fs::write_file(root / "tile/0/000.p/2", tile);
    word = "other hashes";
  }
  SECTION("a tile is missing") {
    std::filesystem::remove(root / "tile/0/000.p/2");
    word = "is missing";
  }
  SECTION("the checkpoint is missing") {
    std::filesystem::remove(root / "checkpoint");
    word = "checkpoint is missing";
  }
  SECTION("an old checkpoint was put back") {
    fs::write_file(root / "checkpoint", fs::read_file(old_copy / "checkpoint", max_note_bytes));
    word = "has 1 entries that are not those 2";
    by_memory = true;
  }
  SECTION("all was removed") {
    std::filesystem::remove_all(root);
    word = "has 0 entries";
    by_memory = true;
  }
  SECTION("other entries were appended to an old copy") {
    std::filesystem::remove_all(root);
    std::filesystem::rename(old_copy, root);
    TileLog forgetful{root, "local", nullptr};
    forgetful.append_once("x", "other", *key.signer);
    word = "are not those 2";
    by_memory = true;
  }
  const auto left =
      std::filesystem::exists(root / "checkpoint") ? fs::read_file(root / "checkpoint", max_note_bytes) : "";
  for (const std::string name : {"a", "c"}) {
    CHECK_THROWS_WITH(log.append_once(name, "third", *key.signer), Catch::Contains(word));
    CHECK((std::filesystem::exists(root / "checkpoint") ? fs::read_file(root / "checkpoint", max_note_bytes) : "") ==
          left);
    CHECK_FALSE(std::filesystem::exists(root / "tile/0/000.p/3"));
  }
  if (by_memory) CHECK_NOTHROW(TileLog{root, "local", nullptr}.append_once("c", "third", *key.signer));
}

TEST_CASE("a log that grew since it was remembered is taken as it is") {
  const LogKey key;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = folder.path() / "log";
  const SeenCheckpoints seen{folder.path() / "state"};
  TileLog log{root, "local", &seen};
  for (int i = 0; i < 255; ++i) log.append_once(std::to_string(i), "entry", *key.signer);
  const auto remembered = fs::read_file(seen.file_of("local", key.signer->public_key()), max_note_bytes);
  log.append_once("255", "entry", *key.signer);
  log.append_once("256", "entry", *key.signer);
  fs::write_file(seen.file_of("local", key.signer->public_key()), remembered);  // as if killed before it was written
  CHECK(log.append_once("257", "entry", *key.signer).index == 257);
  CHECK(seen.of("local", key.signer->public_key())->size == 258);
  fs::write_file(seen.file_of("local", key.signer->public_key()), "local\n1\n");
  CHECK_THROWS_WITH(log.append_once("258", "entry", *key.signer), Catch::Contains("does not hold"));
}

TEST_CASE("the first append that was killed is completed by the next") {
  const LogKey key;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = folder.path() / "log";
  const auto note = sign_checkpoint({"local", 0, root_hash(0, {})}, *key.signer);
  std::filesystem::create_directories(root);
  fs::write_file(root / "checkpoint", note);
  std::filesystem::create_directories(root / "tile/entries/000.p");
  fs::write_file(root / "tile/entries/000.p/1", std::string("\0\1x", 3));
  TileLog log{root, "local", nullptr};
  verify_inclusion(log.append_once("a", "first", *key.signer), "local", key.signer->public_key());
}

TEST_CASE("a receipt binds the digest, the time and the log") {
  const LogKey key;
  const LogKey stranger;
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  LogAnchor anchor{folder.path() / "log", "local", *key.signer, folder.path() / "state"};
  const auto trust = attest::TrustPolicy::from_key(key.signer->public_key());
  anchor.anchor(digest_of(0));
  const auto receipt = anchor.anchor(digest_of(1));
  CHECK(receipt.chain == "log:local");
  CHECK(json::canonical(anchor.anchor(digest_of(1)).to_json()) == json::canonical(receipt.to_json()));
  const auto read = Receipt::from_json(receipt.to_json(), "receipt");
  CHECK_NOTHROW(verify_receipt(read, digest_of(1), trust));
  CHECK_THROWS_AS(verify_receipt(read, digest_of(2), trust), Error);
  CHECK_THROWS_AS(verify_receipt(read, digest_of(1), attest::TrustPolicy::from_key(stranger.signer->public_key())),
                  Error);
  auto altered = read;
  SECTION("time") {
    altered.time = "2020-01-01T00:00:00.000Z";
  }
  SECTION("position") {
    altered.tx = "0";
  }
  SECTION("chain") {
    altered.chain = "log:other";
  }
  SECTION("kind of chain") {
    altered.chain = "evm:1";
  }
  SECTION("digest") {
    altered.bundle_digest = digest_of(0);
  }
  CHECK_THROWS_AS(verify_receipt(altered, altered.bundle_digest, trust), Error);
}
