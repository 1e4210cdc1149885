#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/time.hpp"
#include "json/value.hpp"

namespace capsule::index {

struct ProofEntry {
  std::string id;  ///< of the proof service
  Digest digest;   ///< of the proof bundle's bytes
  friend bool operator==(const ProofEntry&, const ProofEntry&) = default;
};

struct AnchorEntry {
  std::string chain;
  Digest digest;  ///< of the receipt's bytes
  friend bool operator==(const AnchorEntry&, const AnchorEntry&) = default;
};

/// The truth about one version, signed; a later revision names the one before.
struct Record {
  std::string name;
  std::string version;
  Digest capsule_digest;
  Digest package_digest;
  Digest index_digest;  ///< the OCI version index
  std::optional<ProofEntry> proof;
  std::vector<AnchorEntry> anchors;
  std::string published_at;  ///< RFC 3339
  bool yanked = false;
  std::optional<Digest> previous;  ///< the record that this one replaces

  [[nodiscard]] json::Value to_json() const;
  static Record from_json(const json::Value& value);
  /// Whether both say the same of the version; when it was said does not count.
  [[nodiscard]] bool same_facts(const Record& other) const;
};

/// Where a blob is.
struct BlobEntry {
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
  friend bool operator==(const BlobEntry&, const BlobEntry&) = default;
};

/// By how many bits of SHA-256(version) records fall into pages, in what is written. Each page costs some 280 bytes in
/// the head and in the manifest above it, each record 110 bytes on its page: at 10⁴ versions six bits are the least to
/// read and write in all, about 40 KiB.
inline constexpr unsigned page_bits = 6;

/// One page: the records of all versions whose SHA-256 begins with the same bits.
struct Page {
  std::map<std::string, BlobEntry> records;  ///< by version

  [[nodiscard]] std::string text() const;  ///< canonical JSON
  static Page parse(std::string_view text);
};

/// A head by its number and the digest of its bytes.
struct HeadId {
  std::uint64_t sequence = 0;
  Digest digest;
  friend bool operator==(const HeadId&, const HeadId&) = default;
};

/// What stands over the pages, signed. `sequence` only grows; each head names those before it.
struct Head {
  /// How many heads a head names: whoever comes back after fewer changes sees from one head that it goes on from what
  /// he saw, and needs no other one.
  static constexpr std::size_t max_history = 32;

  std::string name;
  std::uint64_t sequence = 0;
  std::vector<HeadId> history;  ///< the heads before, newest first; the first is also the member `previous`
  std::string issued_at;
  std::string expires_at;
  std::uint64_t count = 0;
  std::string latest;
  unsigned bits = page_bits;               ///< member page_bits; 8 where a head has none
  std::map<std::string, BlobEntry> pages;  ///< by page_of()

  [[nodiscard]] json::Value to_json() const;
  static Head from_json(const json::Value& value);
  /// The history of a head that comes after this one, whose bytes have the digest.
  [[nodiscard]] std::vector<HeadId> history_of_next(const Digest& digest) const;
  /// One more head that this one goes on from, of a number below its own: two writers wrote it at once.
  void add_to_history(const HeadId& other);
  [[nodiscard]] bool comes_after(const HeadId& other) const;
};

/// The page on which a version stands: the first byte of SHA-256(version) with all but its first `bits` bits zero, as
/// two hexadecimal digits.
std::string page_of(std::string_view version, unsigned bits = page_bits);

/// How long a head is good for.
inline constexpr std::chrono::hours head_lifetime{24 * 30};

/// Error verification_failed if the head is expired (freeze), or was issued in the future, at `at`. Pure.
void check_freshness(const Head& head, Time at);

/// Whether less than half of its life is left, or it was issued in the future, so that the next writer signs it anew.
/// Pure.
bool wants_renewal(const Head& head, Time at);

}  // namespace capsule::index
