#pragma once

#include <functional>
#include <optional>
#include <string>

#include "attest/statement.hpp"
#include "attest/trust_policy.hpp"
#include "core/time.hpp"
#include "crypto/key.hpp"
#include "index/documents.hpp"
#include "index/seen.hpp"
#include "oci/store.hpp"

namespace capsule::index {

/// A record that was found, with where it stands.
struct Found {
  Record record;
  Digest record_digest;
  std::uint64_t sequence = 0;  ///< of the head
  bool newer_than_head =
      false;  ///< the version's own tag names a newer record than the head knows: a writer is at work, or was killed
};

/// The signed index of one capsule name, in its repository: one record per version under the tag `index-v-<version>`,
/// over them pages and a head under the tag `index`.
class Index {
 public:
  /// `seen` may be null: then no rollback can be noticed. `clock` is for tests.
  Index(oci::Store& store, std::string registry, std::string name, const attest::TrustPolicy& trust, SeenHeads* seen);
  void set_clock(std::function<Time()> clock) { m_clock = std::move(clock); }

  /// The record of a version, `latest` included. Reads the head, one page, one record: at most 64 KiB at 10⁴ versions.
  /// Errors: not_found; verification_failed for a signature, a rollback, an expired head, a record of another name or
  /// version.
  Found find(std::string_view version);
  /// The records of all versions, in the order of semver; none where there is no index. Reads the head and each page
  /// once. Errors as those of find().
  std::vector<Record> records();

  /// Holds a head that another process has found, by the digest of the signed document, against what was seen, as if it
  /// had been read here: one that was served to that process alone cannot be seen otherwise. That it had not expired,
  /// that process has seen to. Errors: not_found; verification_failed for a signature, a rollback, another branch.
  void hold(const Digest& head);

  struct Written {
    Digest record_digest;
    std::uint64_t sequence = 0;
    bool changed = false;
  };
  /// Puts a record in; what is there already with the same facts is found, and nothing is written (unless the head
  /// wants renewal). Another capsule digest under the version is Error conflict; a signer that the policy does not
  /// accept for this index is verification_failed. Two writers at once both end up in it. Reads and writes at most 64
  /// KiB each at 10⁴ versions; a head of another number of pages is brought to ours at once. `stays` is asked of a
  /// record with other facts that is there: yes, and it is as if they were the same.
  using Stays = std::function<bool(const Record& there)>;
  Written put(Record record, const crypto::Signer& signer, const Stays& stays = {});

 private:
  struct Loaded {
    Head head;
    Digest digest;    ///< of the signed document
    Digest manifest;  ///< what the tag names
    /// Another head of its sequence, whose content was taken over, so that it must be written.
    std::optional<HeadId> merged;
  };
  [[nodiscard]] std::optional<Loaded> read_head();
  [[nodiscard]] Head open_head(std::string_view bundle) const;
  [[nodiscard]] std::optional<Loaded> load_head();
  [[nodiscard]] bool overtook(const HeadId& own) const;
  void check_and_remember(const Head& head, const Digest& digest);
  /// The same, but where another head of the same sequence was seen, both were written at once, and the two are merged.
  [[nodiscard]] std::optional<Loaded> load_head_to_write();
  void merge(Head& head, const Head& other);
  void require_descent(const Head& head, const HeadId& seen);
  [[nodiscard]] Head load_earlier(const HeadId& id);
  [[nodiscard]] Page load_page(const Head& head, const std::string& page);
  [[nodiscard]] Record load_record(const BlobEntry& entry, std::string_view version);
  [[nodiscard]] attest::Statement verified(std::string_view bundle, std::string_view predicate_type) const;
  void regroup(Head& head);
  struct WrittenHead {
    Digest manifest;  ///< what the tag of the head names by this
    HeadId seen;
  };
  /// Nothing where `before` is not the head any more just before it would be replaced.
  std::optional<WrittenHead> write_head(const std::optional<Loaded>& before, Head head, const std::string& page_name,
                                        const Page& page, const crypto::Signer& signer);
  struct StoredRecord {
    std::optional<Digest> previous;
    BlobEntry entry;
  };
  BlobEntry store_record(const Record& record, const crypto::Signer& signer, std::optional<StoredRecord>& stored);
  struct Put {
    std::optional<Digest> record_digest;
    std::uint64_t sequence = 0;
    std::optional<WrittenHead> head;  ///< if one was written
    bool overtaken = false;           ///< another writer was faster: nothing was written
  };
  Put put_locked(Record record, const crypto::Signer& signer, const Stays& stays, std::optional<StoredRecord>& stored);

  oci::Store& m_store;
  std::string m_registry;
  std::string m_name;
  const attest::TrustPolicy& m_trust;
  SeenHeads* m_seen;
  std::vector<HeadId> m_lost;  ///< our heads that another writer's replaced at once: a reader may have seen them
  std::function<Time()> m_clock = [] { return now(); };
};

}  // namespace capsule::index
