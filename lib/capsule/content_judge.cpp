#include "capsule/content_judge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "capsule/head.hpp"
#include "core/error.hpp"

namespace capsule {

namespace {

constexpr std::size_t max_signature_bytes = std::size_t{16} << 10U;

[[noreturn]] void refuse(ErrorKind kind, const fs::SafePath& path, std::string_view reason) {
  throw Error{kind, fmt::format("{} {}", printable(path.text(), 1024), reason)};
}

/// Where an entry stands in the canonical order: the head first, then by path.
int rank(std::string_view path) {
  if (path == head::signature) return 0;
  if (path == head::checksums) return 1;
  return path == head::manifest ? 2 : 3;
}

}  // namespace

ContentJudge::ContentJudge(Options options) : m_options(std::move(options)) {}

void ContentJudge::note_order(const archive::TarEntry& entry) {
  const std::string_view path = entry.path.text();
  const bool in_order = m_entries.empty() || rank(m_previous) < rank(path) ||
                        (rank(m_previous) == 3 && rank(path) == 3 && m_previous < path);
  m_canonical = m_canonical && in_order;
  m_previous = path;
  const auto tar_size = archive::tar_entry_header_size(entry.path, entry.size) + entry.size +
                        archive::tar_padding(entry.size);  // of the canonical form
  m_entries.push_back({PlannedEntry::kind_of(path), entry.size, tar_size});
}

void ContentJudge::begin_entry(const archive::TarEntry& entry) {
  if (m_entries.size() >= m_options.limits.entries) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("the package has over {} files, the limit", m_options.limits.entries)};
  }
  if (entry.size > m_options.limits.total_bytes)
    refuse(ErrorKind::invalid_input, entry.path, "is larger than the limit of a package");
  const auto path_rank = rank(entry.path.text());
  m_current = Current{entry, static_cast<Kind>(path_rank), {}, 0, false};
  if (m_current.kind == Kind::file) settle_if_possible(false);
  if (m_current.kind == Kind::file || m_current.kind == Kind::manifest) expect(entry.path);
  if (m_current.kind != Kind::file) {
    if (captured(m_current.kind)) refuse(ErrorKind::invalid_input, entry.path, "is in the package twice");
    m_captured_bytes += static_cast<std::size_t>(std::min<std::uint64_t>(entry.size, m_options.limits.head_bytes + 1));
    const bool too_large = m_captured_bytes > m_options.limits.head_bytes ||
                           (m_current.kind == Kind::signature && entry.size > max_signature_bytes);
    if (too_large) refuse(ErrorKind::invalid_input, entry.path, "is larger than the limit of a package's head");
    captured(m_current.kind).emplace().reserve(static_cast<std::size_t>(entry.size));
  }
  note_order(entry);
}

/// Refuses a file that is surplus or comes again, before its content is read.
void ContentJudge::expect(const fs::SafePath& path) {
  if (!m_head) {
    if (m_pending.contains(path)) refuse(ErrorKind::invalid_input, path, "is in the package twice");
    return;
  }
  const auto* line = m_head->files.line(path.text());
  if (line == nullptr) refuse(ErrorKind::verification_failed, path, "is not in checksum.sha256");
  const auto seen = m_seen[static_cast<std::size_t>(line - m_head->files.lines().data())];
  if (seen) refuse(ErrorKind::invalid_input, path, "is in the package twice");
}

/// Takes what decides the mode off the front of `bytes`; returns how many.
std::size_t ContentJudge::take_first(ByteView bytes) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(m_current.first.size(), m_current.entry->size));
  const auto count = std::min(bytes.size(), wanted - m_current.first_size);
  std::copy_n(bytes.begin(), count, m_current.first.begin() + static_cast<std::ptrdiff_t>(m_current.first_size));
  m_current.first_size += count;
  return m_current.first_size == wanted ? count : 0;
}

/// The first bytes are there: so is the mode.
void ContentJudge::announce() {
  m_current.announced = true;
  const auto first = ByteView{m_current.first}.first(m_current.first_size);
  const auto mode = archive::executable_of(first);
  m_canonical = m_canonical && m_current.entry->canonical_mode == mode;
  if (m_options.observer == nullptr) return;
  m_options.observer->begin_file(m_current.entry->path, m_current.entry->size, mode == archive::Executable::yes);
  if (!first.empty()) m_options.observer->file_bytes(first);
}

void ContentJudge::entry_bytes(ByteView bytes) {
  if (m_current.kind != Kind::file) captured(m_current.kind)->append(as_text(bytes));
  m_hasher.update(bytes);
  if (!m_current.announced) {
    const auto taken = take_first(bytes);
    if (taken == 0) return;
    announce();
    bytes = bytes.subspan(taken);
  }
  if (m_options.observer != nullptr && !bytes.empty()) m_options.observer->file_bytes(bytes);
}

void ContentJudge::end_entry() {
  if (!m_current.announced) announce();
  if (m_options.observer != nullptr) m_options.observer->end_file();
  const auto digest = m_hasher.finish();
  if (m_current.kind == Kind::file || m_current.kind == Kind::manifest) record(m_current.entry->path, digest);
  if (m_current.kind == Kind::manifest) settle_if_possible(false);
}

void ContentJudge::folder(const fs::SafePath& path) {
  const auto& text = path.text();
  const bool is_file = m_head ? m_head->files.find(text) != nullptr : m_pending.contains(path);
  if (is_file || rank(text) < 3) refuse(ErrorKind::invalid_input, path, "is a file and a folder");
}

void ContentJudge::record(const fs::SafePath& path, const Digest& digest) {
  if (m_head)
    compare(path, digest);
  else
    m_pending.emplace(path, digest);
}

void ContentJudge::compare(const fs::SafePath& path, const Digest& digest) {
  const auto* line = m_head->files.line(path.text());
  if (line == nullptr) refuse(ErrorKind::verification_failed, path, "is not in checksum.sha256");
  if (line->digest != digest) refuse(ErrorKind::verification_failed, path, "is not what checksum.sha256 says");
  m_seen[static_cast<std::size_t>(line - m_head->files.lines().data())] = true;
}

/// The head is whole once list, manifest and signature came; an unsigned one ends where another file begins.
void ContentJudge::settle_if_possible(bool at_end) {
  if (m_head) return;
  const bool signature_settled = captured(Kind::signature).has_value() || at_end ||
                                 (m_options.signature == Signature::optional && m_current.kind == Kind::file);
  if (captured(Kind::checksums) && captured(Kind::manifest) && signature_settled) settle();
}

void ContentJudge::settle() {
  const auto& signature = captured(Kind::signature);
  PackageHead head{parse_manifest(*captured(Kind::manifest)), *captured(Kind::manifest), *captured(Kind::checksums),
                   ChecksumList::parse(*captured(Kind::checksums)), std::nullopt};
  if (signature) head.signature = Bytes{as_bytes(*signature).begin(), as_bytes(*signature).end()};
  if (m_options.check_head) m_options.check_head(head);
  m_seen.assign(head.files.lines().size(), false);
  m_head = std::move(head);
  for (const auto& [path, digest] : m_pending) compare(path, digest);
  m_pending.clear();
}

void ContentJudge::finish() {
  for (const auto& [kind, name] : {std::pair{Kind::checksums, head::checksums}, {Kind::manifest, head::manifest}}) {
    if (!captured(kind)) throw Error{ErrorKind::invalid_input, fmt::format("{} is missing in the package", name)};
  }
  settle_if_possible(true);
  const auto& lines = m_head->files.lines();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!m_seen[i]) refuse(ErrorKind::verification_failed, lines[i].path, "is missing in the package");
  }
  const auto& entrypoint = m_head->manifest.entrypoint;
  if (m_head->files.find(entrypoint) == nullptr || entrypoint == head::manifest) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("capsule.json: the entrypoint {} is not in the package", printable(entrypoint))};
  }
}

PackageHead ContentJudge::take_head() {
  // A signature that came late, behind other files, belongs to the head too.
  const auto& signature = captured(Kind::signature);
  if (signature && !m_head->signature)
    m_head->signature = Bytes{as_bytes(*signature).begin(), as_bytes(*signature).end()};
  return *std::move(m_head);
}

}  // namespace capsule
