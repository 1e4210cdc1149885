#include "index/index.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/own_key.hpp"
#include "core/error.hpp"
#include "core/semver.hpp"
#include "crypto/hash.hpp"
#include "index/artifact.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::index {

namespace {

constexpr std::string_view record_type = "https://industriverse.ai/capsule-index-record/v1";
constexpr std::string_view head_type = "https://industriverse.ai/capsule-index-head/v1";
constexpr std::string_view head_tag = "index";
constexpr std::size_t max_document_bytes = std::size_t{1} << 20U;

std::string record_tag(std::string_view version) {
  return fmt::format("index-v-{}", version);
}

[[noreturn]] void refuse(std::string message) {
  throw Error{ErrorKind::verification_failed, std::move(message)};
}

attest::Statement statement_about(const Record& record) {
  return {{{"capsule", record.capsule_digest}, {"version-index", record.index_digest}},
          std::string{record_type},
          record.to_json()};
}

/// A head's subject is what it commits to: the digest of its own predicate, so that every statement has one.
attest::Statement statement_about(const Head& head) {
  const auto predicate = head.to_json();
  return {{{"index", crypto::sha256(json::canonical(predicate))}}, std::string{head_type}, predicate};
}

}  // namespace

Index::Index(oci::Store& store, std::string registry, std::string name, const attest::TrustPolicy& trust,
             SeenHeads* seen)
    : m_store(store), m_registry(std::move(registry)), m_name(std::move(name)), m_trust(trust), m_seen(seen) {}

attest::Statement Index::verified(std::string_view bundle, std::string_view predicate_type) const {
  const auto keys = m_trust.keys(attest::Role::index, m_name);
  return with_trace(fmt::format("the index of '{}'", m_name),
                    [&] { return attest::verify_statement(bundle, keys, predicate_type); });
}

std::optional<Index::Loaded> Index::read_head() {
  const auto artifact = load_artifact(m_store, head_tag, max_document_bytes);
  if (!artifact) return std::nullopt;
  return Loaded{open_head(artifact->content), artifact->digest, artifact->manifest, {}};
}

Head Index::open_head(std::string_view bundle) const {
  auto head = Head::from_json(verified(bundle, head_type).predicate);
  if (head.name != m_name)
    refuse(fmt::format("the index here is that of '{}', not of '{}'", printable(head.name), m_name));
  return head;
}

std::optional<Index::Loaded> Index::load_head() {
  auto loaded = read_head();
  if (loaded && m_seen != nullptr) check_and_remember(loaded->head, loaded->digest);
  return loaded;
}

void Index::check_and_remember(const Head& head, const Digest& digest) {
  m_seen->check_and_remember(m_registry, m_name, {head.sequence, digest},
                             [&](const HeadId& seen) { require_descent(head, seen); });
}

void Index::hold(const Digest& digest) {
  const auto head = open_head(oci::read_text(m_store, digest, max_document_bytes));
  if (m_seen != nullptr) check_and_remember(head, digest);
}

std::optional<Index::Loaded> Index::load_head_to_write() {
  const auto seen = m_seen == nullptr ? std::nullopt : m_seen->of(m_registry, m_name);
  auto loaded = read_head();
  if (!loaded || !seen || seen->sequence != loaded->head.sequence || seen->digest == loaded->digest) {
    if (loaded && seen) check_and_remember(loaded->head, loaded->digest);
    return loaded;
  }
  log::warning("two writers wrote the index at once: their heads are merged",
               {{"name", m_name}, {"sequence", std::to_string(seen->sequence)}});
  merge(loaded->head, open_head(oci::read_text(m_store, seen->digest, max_document_bytes)));
  loaded->merged = seen;
  return loaded;
}

/// Puts into `head` what only `other`, signed as well, has. Where both have a record of a version, the one that names
/// the other as its predecessor is the newer.
void Index::merge(Head& head, const Head& other) {
  if (head.bits != page_bits) regroup(head);
  std::map<std::string, Page> pages;
  for (const auto& [number, entry] : other.pages) {
    const auto same = head.pages.find(number);
    if (same != head.pages.end() && same->second == entry) continue;
    for (const auto& [version, record] : load_page(other, number).records) {
      auto& page = pages.try_emplace(page_of(version), load_page(head, page_of(version))).first->second;
      const auto [there, added] = page.records.try_emplace(version, record);
      if (added) ++head.count;
      if (!added && load_record(record, version).previous == there->second.digest) there->second = record;
    }
  }
  for (const auto& [number, page] : pages) head.pages.insert_or_assign(number, store_blob(m_store, page.text()));
  if (head.latest.empty() || compare_versions(head.latest, other.latest) < 0) head.latest = other.latest;
}

/// A head whose writer had not seen what we have stands on another branch, whatever its number is.
void Index::require_descent(const Head& head, const HeadId& seen) {
  constexpr int max_heads_read = 1'000;
  Head at = head;
  for (int read = 0; !at.comes_after(seen); ++read) {
    if (at.history.empty() || at.history.back().sequence <= seen.sequence || read == max_heads_read) {
      refuse(
          fmt::format("fork: the index of '{}' has the sequence {} but does not go on from the head {} of sequence {} "
                      "that was seen "
                      "before; whoever writes it works on an old copy",
                      m_name, head.sequence, seen.digest.brief(), seen.sequence));
    }
    const auto before = at.history.back();
    at = load_earlier(before);
  }
}

Head Index::load_earlier(const HeadId& id) {
  try {
    const auto text = oci::read_text(m_store, id.digest, max_document_bytes);
    auto head = Head::from_json(verified(text, head_type).predicate);
    if (head.name == m_name && head.sequence == id.sequence) return head;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    refuse(
        fmt::format("the head {} of sequence {} of the index of '{}' is not there any more, so that nothing shows that "
                    "the index goes on from what was seen before",
                    id.digest.brief(), id.sequence, m_name));
  }
  refuse(
      fmt::format("the head {} of the index of '{}' is another one than it is said to be", id.digest.brief(), m_name));
}

Page Index::load_page(const Head& head, const std::string& page) {
  const auto entry = head.pages.find(page);
  if (entry == head.pages.end()) return {};
  return Page::parse(load_blob(m_store, entry->second, max_document_bytes));
}

Record Index::load_record(const BlobEntry& entry, std::string_view version) {
  auto record = Record::from_json(verified(load_blob(m_store, entry, max_document_bytes), record_type).predicate);
  if (record.name != m_name || record.version != version) {
    refuse(fmt::format("the record of {}:{} speaks of {}:{}", m_name, version, printable(record.name),
                       printable(record.version)));
  }
  return record;
}

Found Index::find(std::string_view version) {
  const auto loaded = load_head();
  if (!loaded)
    throw Error{ErrorKind::not_found,
                fmt::format("{0} has no index of '{1}': nothing was registered; name the version itself, "
                            "{0}/{1}:VERSION, or register it first",
                            m_registry, m_name)};
  check_freshness(loaded->head, m_clock());
  const std::string wanted = version == "latest" ? loaded->head.latest : std::string{version};
  const auto page = load_page(loaded->head, page_of(wanted, loaded->head.bits));
  const auto entry = page.records.find(wanted);
  const auto own = load_artifact(m_store, record_tag(wanted), max_document_bytes);
  if (entry == page.records.end()) {
    const auto* hint =
        own ? ": its record is there, but not yet in the index; register was stopped half-way, run it again" : "";
    throw Error{ErrorKind::not_found, fmt::format("'{}' has no version {} in the index of {}{}", m_name,
                                                  printable(wanted), m_registry, hint)};
  }
  Found found{load_record(entry->second, wanted), entry->second.digest, loaded->head.sequence, false};
  found.newer_than_head = own && own->digest != found.record_digest;
  return found;
}

std::vector<Record> Index::records() {
  const auto loaded = load_head();
  if (!loaded) return {};
  check_freshness(loaded->head, m_clock());
  std::vector<Record> out;
  for (const auto& [number, page] : loaded->head.pages) {
    for (const auto& [version, entry] : load_page(loaded->head, number).records)
      out.push_back(load_record(entry, version));
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return compare_versions(a.version, b.version) < 0; });
  return out;
}

Index::Written Index::put(Record record, const crypto::Signer& signer, const Stays& stays) {
  attest::require_own_key(m_trust, attest::Role::index, m_name, signer.public_key());
  // A registry has no lock: another writer's head can take the place of ours. So write, look again, repeat.
  constexpr int max_rounds = 24;
  std::optional<StoredRecord> stored;
  bool changed = false;
  for (int round = 0; round < max_rounds; ++round) {
    Put put;
    m_store.exclusively([&] { put = put_locked(record, signer, stays, stored); });
    changed = changed || stored || put.head;
    if (put.overtaken) continue;
    if (!put.head) return {put.record_digest.value(), put.sequence, changed};
    m_store.settle();
    const auto there = m_store.resolve(head_tag);
    if (!there || there->digest != put.head->manifest) {
      m_lost.push_back(put.head->seen);
      continue;
    }
    if (overtook(put.head->seen)) continue;
    if (m_seen != nullptr) m_seen->check_and_remember(m_registry, m_name, put.head->seen, [](const HeadId&) {});
    return {put.record_digest.value(), put.sequence, changed};
  }
  throw Error{ErrorKind::busy, fmt::format("other writers keep replacing the index of '{}': try again", m_name)};
}

/// Whether our head took the place of another one of its number, which a writer of this machine had already seen stand:
/// the next round merges them.
bool Index::overtook(const HeadId& own) const {
  const auto seen = m_seen == nullptr ? std::nullopt : m_seen->of(m_registry, m_name);
  return seen && seen->sequence == own.sequence && seen->digest != own.digest;
}

/// Records of pages by another number of bits on pages by ours.
void Index::regroup(Head& head) {
  std::map<std::string, Page> pages;
  for (const auto& [number, entry] : head.pages) {
    for (auto& [version, record] : load_page(head, number).records)
      pages[page_of(version)].records.insert_or_assign(version, record);
  }
  head.bits = page_bits;
  head.pages.clear();
  for (const auto& [number, page] : pages) head.pages.insert_or_assign(number, store_blob(m_store, page.text()));
}

Index::Put Index::put_locked(Record record, const crypto::Signer& signer, const Stays& stays,
                             std::optional<StoredRecord>& stored) {
  const auto loaded = load_head_to_write();
  Head head = loaded ? loaded->head : Head{};
  auto number = page_of(record.version, head.bits);
  auto page = load_page(head, number);
  const auto present = page.records.find(record.version);
  if (present != page.records.end()) {
    const auto before = load_record(present->second, record.version);
    if (before.capsule_digest != record.capsule_digest) {
      throw Error{
          ErrorKind::conflict,
          fmt::format(
              "{}:{} is registered with the capsule digest {}, this one has {}: a version never changes, raise it",
              m_name, record.version, before.capsule_digest.brief(), record.capsule_digest.brief())};
    }
    if (!before.same_facts(record) && !(stays && stays(before))) {
      record.previous = present->second.digest;
    } else if (!wants_renewal(head, m_clock()) && !loaded->merged) {
      return {present->second.digest, head.sequence, {}, false};
    }
  }
  const bool renewal_only = present != page.records.end() && !record.previous;
  const auto entry = renewal_only ? present->second : store_record(record, signer, stored);
  if (present == page.records.end()) ++head.count;
  if (head.bits != page_bits) {
    regroup(head);
    number = page_of(record.version);
    page = load_page(head, number);
  }
  page.records.insert_or_assign(record.version, entry);
  head.name = m_name;
  if (head.latest.empty() || compare_versions(head.latest, record.version) < 0) head.latest = record.version;
  auto written = write_head(loaded, std::move(head), number, page, signer);
  const bool overtaken = !written;
  return {entry.digest, loaded ? loaded->head.sequence + 1 : 1, std::move(written), overtaken};
}

/// Under the record's own tag; once, however often the head is written for it.
BlobEntry Index::store_record(const Record& record, const crypto::Signer& signer, std::optional<StoredRecord>& stored) {
  if (!stored || stored->previous != record.previous) {
    const auto artifact = store_artifact(m_store, {record_tag(record.version),
                                                   oci::media_type::index_record,
                                                   attest::sign_statement(statement_about(record), signer),
                                                   {}});
    stored = StoredRecord{record.previous, artifact.content};
  }
  return stored->entry;
}

std::optional<Index::WrittenHead> Index::write_head(const std::optional<Loaded>& before, Head head,
                                                    const std::string& page_name, const Page& page,
                                                    const crypto::Signer& signer) {
  head.pages.insert_or_assign(page_name, store_blob(m_store, page.text()));
  head.sequence = before ? before->head.sequence + 1 : 1;
  if (before) head.history = before->head.history_of_next(before->digest);
  if (before && before->merged) head.add_to_history(*before->merged);
  for (const auto& lost : m_lost) head.add_to_history(lost);
  const auto at = m_clock();
  head.issued_at = format_time(at);
  head.expires_at = format_time(at + head_lifetime);
  std::vector<BlobEntry> pages;
  for (const auto& [number, entry] : head.pages) pages.push_back(entry);
  const Artifact artifact{std::string{head_tag}, oci::media_type::index_head,
                          attest::sign_statement(statement_about(head), signer), pages};
  const auto still_the_last = [&] {
    const auto there = m_store.resolve(head_tag);
    return there ? before && there->digest == before->manifest : !before;
  };
  auto stored = store_artifact_if(m_store, artifact, still_the_last);
  if (!stored) return std::nullopt;
  return WrittenHead{std::move(stored->manifest), {head.sequence, std::move(stored->content.digest)}};
}

}  // namespace capsule::index
