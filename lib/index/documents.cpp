#include "index/documents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace capsule::index {

namespace {

std::optional<Digest> digest_if(const json::Cursor& at, std::string_view key) {
  const auto member = at.optional(key);
  return member ? std::optional{Digest::parse(member->string())} : std::nullopt;
}

json::Value to_json(const BlobEntry& entry) {
  return json::Object{{"digest", entry.digest.text()}, {"size", entry.size}};
}

BlobEntry blob_from(const json::Cursor& at) {
  at.allow_only({"digest", "size"});
  return {Digest::parse(at.at("digest").string()), at.at("size").uint64()};
}

json::Value to_json(const std::map<std::string, BlobEntry>& entries) {
  json::Object out;
  for (const auto& [key, entry] : entries) out.set(key, to_json(entry));
  return out;
}

std::map<std::string, BlobEntry> blobs_from(const json::Cursor& at) {
  std::map<std::string, BlobEntry> out;
  for (const auto& [key, member] : at.members()) out.emplace(key, blob_from(member));
  return out;
}

/// A head without the member names only the one before.
std::vector<HeadId> history_from(const json::Cursor& head) {
  const auto sequence = head.at("sequence").uint64();
  const auto previous = digest_if(head, "previous");
  std::vector<HeadId> out;
  if (const auto history = head.optional("history")) {
    auto next = sequence;
    for (const auto& before : history->elements()) {
      before.allow_only({"sequence", "digest"});
      const auto number = before.at("sequence").uint64();
      if (number >= sequence || number > next) before.at("sequence").fail("earlier heads are wanted, newest first");
      next = number;
      out.push_back({number, Digest::parse(before.at("digest").string())});
      if (out.size() > Head::max_history) history->fail(fmt::format("at most {} heads", Head::max_history));
    }
    if (!out.empty() && out.front().digest != previous) history->fail("its first is not the member previous");
  } else if (previous && sequence > 0) {
    out.push_back({sequence - 1, *previous});
  }
  return out;
}

}  // namespace

json::Value Record::to_json() const {
  json::Object out{{"name", name},
                   {"version", version},
                   {"digests", json::Object{{"capsule", capsule_digest.text()},
                                            {"package", package_digest.text()},
                                            {"index", index_digest.text()}}}};
  if (proof) out.set("proof", json::Object{{"id", proof->id}, {"digest", proof->digest.text()}});
  json::Array list;
  for (const auto& anchor : anchors)
    list.push_back(json::Object{{"chain", anchor.chain}, {"digest", anchor.digest.text()}});
  out.set("anchors", std::move(list));
  out.set("published_at", published_at);
  if (yanked) out.set("yanked", true);
  if (previous) out.set("previous", previous->text());
  return out;
}

Record Record::from_json(const json::Value& value) {
  const json::Cursor top{value, "the index record"};
  top.allow_only({"name", "version", "digests", "proof", "anchors", "published_at", "yanked", "previous"});
  const auto digests = top.at("digests");
  digests.allow_only({"capsule", "package", "index"});
  Record out{top.at("name").string(),
             top.at("version").string(),
             Digest::parse(digests.at("capsule").string()),
             Digest::parse(digests.at("package").string()),
             Digest::parse(digests.at("index").string()),
             {},
             {},
             top.at("published_at").string(),
             false,
             digest_if(top, "previous")};
  if (const auto proof = top.optional("proof")) {
    proof->allow_only({"id", "digest"});
    out.proof = ProofEntry{proof->at("id").string(), Digest::parse(proof->at("digest").string())};
  }
  for (const auto& anchor : top.at("anchors").elements()) {
    anchor.allow_only({"chain", "digest"});
    out.anchors.push_back({anchor.at("chain").string(), Digest::parse(anchor.at("digest").string())});
  }
  if (const auto yanked = top.optional("yanked")) out.yanked = yanked->boolean();
  return out;
}

bool Record::same_facts(const Record& other) const {
  return name == other.name && version == other.version && capsule_digest == other.capsule_digest &&
         package_digest == other.package_digest && index_digest == other.index_digest && proof == other.proof &&
         anchors == other.anchors && yanked == other.yanked;
}

std::string Page::text() const {
  return json::canonical(index::to_json(records));
}

Page Page::parse(std::string_view text) {
  const auto value = json::parse(text, "a page of the index");
  return {blobs_from(json::Cursor{value, "a page of the index"})};
}

json::Value Head::to_json() const {
  json::Object out{{"name", name}, {"sequence", sequence}};
  if (!history.empty()) {
    out.set("previous", history.front().digest.text());
    json::Array before;
    for (const auto& head : history)
      before.push_back(json::Object{{"sequence", head.sequence}, {"digest", head.digest.text()}});
    out.set("history", std::move(before));
  }
  out.set("issued_at", issued_at);
  out.set("expires_at", expires_at);
  out.set("count", count);
  out.set("latest", latest);
  out.set("page_bits", bits);
  out.set("pages", index::to_json(pages));
  return out;
}

Head Head::from_json(const json::Value& value) {
  const json::Cursor top{value, "the index head"};
  top.allow_only(
      {"name", "sequence", "previous", "history", "issued_at", "expires_at", "count", "latest", "page_bits", "pages"});
  const auto bits = top.optional("page_bits");
  if (bits && (bits->uint64() < 1 || bits->uint64() > 8)) bits->fail("1 to 8 are wanted");
  return {top.at("name").string(),
          top.at("sequence").uint64(),
          history_from(top),
          top.at("issued_at").string(),
          top.at("expires_at").string(),
          top.at("count").uint64(),
          top.at("latest").string(),
          bits ? static_cast<unsigned>(bits->uint64()) : 8,
          blobs_from(top.at("pages"))};
}

std::vector<HeadId> Head::history_of_next(const Digest& digest) const {
  std::vector<HeadId> out{{sequence, digest}};
  const auto kept = std::min(history.size(), max_history - 1);
  out.insert(out.end(), history.begin(), history.begin() + static_cast<std::ptrdiff_t>(kept));
  return out;
}

void Head::add_to_history(const HeadId& other) {
  // The first stays: it is the member `previous`.
  auto place = history.begin();
  while (place != history.end() && (place == history.begin() || place->sequence > other.sequence)) ++place;
  history.insert(place, other);
  if (history.size() > max_history) history.pop_back();
}

bool Head::comes_after(const HeadId& other) const {
  return std::find(history.begin(), history.end(), other) != history.end();
}

std::string page_of(std::string_view version, unsigned bits) {
  const auto first = from_hex(crypto::sha256(version).hex().substr(0, 2)).front();
  return to_hex(std::array{first & std::byte{static_cast<unsigned char>(0xff00U >> bits)}});
}

namespace {

bool is_of_the_future(const Head& head, Time at) {
  return parse_time(head.issued_at) > at + clock_tolerance;
}

}  // namespace

void check_freshness(const Head& head, Time at) {
  if (parse_time(head.expires_at) + clock_tolerance < at) {
    throw Error{
        ErrorKind::verification_failed,
        fmt::format(
            "the index of '{}' expired at {}: whoever serves it may be hiding newer versions; register signs it anew",
            head.name, head.expires_at)};
  }
  if (is_of_the_future(head, at)) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the index of '{}' was issued in the future ({}): is this machine's clock right? If it is, "
                            "its signer's was not: register signs it anew",
                            head.name, head.issued_at)};
  }
}

bool wants_renewal(const Head& head, Time at) {
  return is_of_the_future(head, at) || parse_time(head.expires_at) - at < head_lifetime / 2;
}

}  // namespace capsule::index
