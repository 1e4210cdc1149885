#include "oci/layout_index.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "oci/media_types.hpp"
#include "oci/reference.hpp"

namespace capsule::oci {

namespace {

constexpr std::string_view header =
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[\n";
constexpr std::string_view trailer = "]}\n";

bool contains(std::string_view line, std::string_view part) noexcept {
  return line.find(part) != std::string_view::npos;
}

const std::string* annotation(const Descriptor& entry, std::string_view key) {
  const auto found = entry.annotations.find(std::string{key});
  return found == entry.annotations.end() ? nullptr : &found->second;
}

Descriptor without_annotations(Descriptor entry) {
  entry.annotations.clear();
  return entry;
}

bool same(const Descriptor& one, const Descriptor& other) {
  return one.digest == other.digest && one.size == other.size && one.media_type == other.media_type;
}

/// Whether the text of one of these tags (a set, or a map by tag) stands in the entry, so that it is worth parsing.
template <typename Tags>
bool may_carry(std::string_view line, const Tags& tags) {
  static const std::string start = fmt::format("\"{}\":\"", LayoutIndex::tag_annotation);
  for (auto at = line.find(start); at != std::string_view::npos; at = line.find(start, at + 1)) {
    const auto value = line.substr(at + start.size());
    if (tags.contains(value.substr(0, value.find('"')))) return true;
  }
  return false;
}

}  // namespace

LayoutIndex::LayoutIndex(std::string text, std::string document)
    : m_document(std::move(document)), m_text(std::move(text)) {
  const std::string_view view{m_text};
  if (view.starts_with(header) && view.ends_with(trailer) && view.size() >= header.size() + trailer.size())
    read_own(view.substr(header.size(), view.size() - header.size() - trailer.size()));
  else
    read_foreign();
}

LayoutIndex::LayoutIndex(std::vector<std::string> entries, std::string document) : m_document(std::move(document)) {
  for (auto& text : entries) m_lines.emplace_back(m_added.emplace_back(std::move(text)));
}

/// Its first quote is not escaped, so that it cannot be part of a value.
std::string LayoutIndex::mark(std::string_view key, std::string_view value) {
  return fmt::format("\"{}\":\"{}\"", key, value);
}

std::vector<std::string_view> LayoutIndex::marks_in(std::string_view entry) {
  std::vector<std::string_view> out;
  for (const auto key : {tag_annotation, subject_annotation}) {
    const auto start = fmt::format("\"{}\":\"", key);
    for (auto at = entry.find(start); at != std::string_view::npos; at = entry.find(start, at + 1)) {
      const auto end = entry.find('"', at + start.size());
      if (end != std::string_view::npos) out.push_back(entry.substr(at, end + 1 - at));
    }
  }
  return out;
}

void LayoutIndex::read_own(std::string_view entries) {
  while (!entries.empty()) {
    const auto end = entries.find('\n');
    auto line = entries.substr(0, end);
    entries = end == std::string_view::npos ? std::string_view{} : entries.substr(end + 1);
    if (!entries.empty() && !line.ends_with(',')) {
      throw Error{ErrorKind::invalid_input, fmt::format("{}: a ',' is missing between two entries", m_document)};
    }
    if (line.ends_with(',')) line.remove_suffix(1);
    if (!line.empty()) m_lines.push_back(line);
  }
}

void LayoutIndex::read_foreign() {
  const auto document = json::parse(m_text, m_document, {max_bytes, 32});
  const json::Cursor top{document, m_document};
  if (const auto version = top.optional("schemaVersion"); version && version->uint64() != 2) {
    version->fail("version 2 is wanted");
  }
  for (const auto& manifest : top.at("manifests").elements()) {
    m_added.push_back(json::compact(manifest.value()));
    (void)entry(m_added.back());
    m_lines.emplace_back(m_added.back());
  }
  if (const auto notes = top.optional("annotations")) {
    m_trailer = fmt::format("],\"annotations\":{}}}\n", json::compact(notes->value()));
  }
}

Descriptor LayoutIndex::entry(std::string_view line) const {
  const auto value = json::parse(line, m_document);
  return Descriptor::from_json(json::Cursor{value, m_document});
}

std::optional<Descriptor> LayoutIndex::tagged(std::string_view tag) const {
  auto found = find_tags({std::string{tag}});
  if (found.empty()) return std::nullopt;
  return std::move(found.begin()->second);
}

LayoutIndex::Tags LayoutIndex::find_tags(const std::set<std::string, std::less<>>& wanted) const {
  Tags out;
  const auto add = [&out, this](const std::string& tag, const Descriptor& found) {
    const auto [before, added] = out.try_emplace(tag, without_annotations(found));
    if (added || same(before->second, found)) return;
    throw Error{ErrorKind::conflict, fmt::format("{}: the tag {} stands there twice, as {} and as {}: remove the "
                                                 "entry that is wrong",
                                                 printable(m_document, 1024), printable(tag),
                                                 before->second.digest.text(), found.digest.text())};
  };
  for (const auto line : m_lines) {
    if (!may_carry(line, wanted)) continue;
    const auto found = entry(line);
    const auto* name = annotation(found, tag_annotation);
    if (name != nullptr && wanted.contains(*name)) add(*name, found);
  }
  return out;
}

std::vector<std::string> LayoutIndex::tags(std::string_view prefix) const {
  const auto wanted = fmt::format("\"{}\":\"", tag_annotation);
  std::vector<std::string> out;
  for (const auto line : m_lines) {
    const auto start = line.find(wanted);
    if (start == std::string_view::npos) continue;
    const auto rest = line.substr(start + wanted.size());
    const auto tag = rest.substr(0, rest.find('"'));
    if (is_tag(tag) && tag.starts_with(prefix)) out.emplace_back(tag);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::vector<Descriptor> LayoutIndex::referrers(const Digest& subject) const {
  const auto wanted = mark(subject_annotation, subject.text());
  std::vector<Descriptor> out;
  for (const auto line : m_lines) {
    if (!contains(line, wanted)) continue;
    auto found = entry(line);
    const auto* name = annotation(found, subject_annotation);
    if (name != nullptr && *name == subject.text()) out.push_back(without_annotations(std::move(found)));
  }
  return out;
}

std::vector<Descriptor> LayoutIndex::unmarked(std::size_t limit) const {
  std::vector<Descriptor> out;
  for (const auto line : m_lines) {
    if (contains(line, tag_annotation) || contains(line, subject_annotation)) continue;
    if (out.size() == limit) break;
    out.push_back(without_annotations(entry(line)));
  }
  return out;
}

void LayoutIndex::add(const Descriptor& entry) {
  m_added.push_back(json::compact(entry.to_json()));
  m_lines.emplace_back(m_added.back());
}

bool LayoutIndex::set_tag(std::string_view tag, const Descriptor& target) {
  return set_tags({{std::string{tag}, target}});
}

bool LayoutIndex::set_tags(Tags targets) {
  std::set<std::string, std::less<>> wanted;
  for (const auto& [tag, target] : targets) wanted.insert(tag);
  for (const auto& [tag, before] : find_tags(wanted)) {
    if (same(before, targets.find(tag)->second)) targets.erase(tag);
  }
  if (targets.empty()) return false;
  std::vector<Descriptor> left_behind;
  std::erase_if(m_lines, [&](std::string_view line) {
    if (!may_carry(line, targets)) return false;
    auto old = entry(line);
    const auto* name = annotation(old, tag_annotation);
    if (name == nullptr || !targets.contains(*name)) return false;
    old.annotations.erase(std::string{tag_annotation});
    if (annotation(old, subject_annotation) != nullptr) left_behind.push_back(std::move(old));
    return true;
  });
  for (const auto& old : left_behind) add(old);
  for (const auto& [tag, target] : targets) {
    auto tagged_entry = without_annotations(target);
    tagged_entry.annotations.emplace(tag_annotation, tag);
    add(tagged_entry);
  }
  return true;
}

bool LayoutIndex::add_referrer(const Digest& subject, const Descriptor& referrer) {
  for (const auto& known : referrers(subject)) {
    if (known.digest == referrer.digest) return false;
  }
  auto marked = without_annotations(referrer);
  marked.annotations.emplace(subject_annotation, subject.text());
  add(marked);
  return true;
}

std::string LayoutIndex::text() const {
  std::string out{header};
  for (std::size_t i = 0; i < m_lines.size(); ++i) {
    out += m_lines[i];
    out += i + 1 < m_lines.size() ? ",\n" : "\n";
  }
  return out + m_trailer;
}

}  // namespace capsule::oci
