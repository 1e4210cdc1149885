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

/// An annotation as it stands in a line of ours. Its first quote is not escaped, so that it cannot be part of a value.
std::string needle(std::string_view key, std::string_view value) {
  return fmt::format("\"{}\":\"{}\"", key, value);
}

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

}  // namespace

LayoutIndex::LayoutIndex(std::string text, std::string document)
    : m_document(std::move(document)), m_text(std::move(text)) {
  const std::string_view view{m_text};
  if (view.starts_with(header) && view.ends_with(trailer) && view.size() >= header.size() + trailer.size())
    read_own(view.substr(header.size(), view.size() - header.size() - trailer.size()));
  else
    read_foreign();
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
  const auto wanted = needle(tag_annotation, tag);
  std::optional<Descriptor> out;
  for (const auto line : m_lines) {
    if (!contains(line, wanted)) continue;
    auto found = entry(line);
    const auto* name = annotation(found, tag_annotation);
    if (name == nullptr || *name != tag) continue;
    if (out && (out->digest != found.digest || out->size != found.size || out->media_type != found.media_type)) {
      throw Error{ErrorKind::conflict,
                  fmt::format("{}: the tag {} stands there twice, as {} and as {}: remove the "
                              "entry that is wrong",
                              printable(m_document, 1024), printable(tag), out->digest.text(), found.digest.text())};
    }
    out = without_annotations(std::move(found));
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
  const auto wanted = needle(subject_annotation, subject.text());
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
  const auto before = tagged(tag);
  if (before && before->digest == target.digest && before->size == target.size &&
      before->media_type == target.media_type) {
    return false;
  }
  const auto wanted = needle(tag_annotation, tag);
  std::vector<Descriptor> left_behind;
  std::erase_if(m_lines, [&](std::string_view line) {
    if (!contains(line, wanted)) return false;
    auto old = entry(line);
    const auto* name = annotation(old, tag_annotation);
    if (name == nullptr || *name != tag) return false;
    old.annotations.erase(std::string{tag_annotation});
    if (annotation(old, subject_annotation) != nullptr) left_behind.push_back(std::move(old));
    return true;
  });
  for (const auto& old : left_behind) add(old);
  auto tagged_entry = without_annotations(target);
  tagged_entry.annotations.emplace(tag_annotation, tag);
  add(tagged_entry);
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
