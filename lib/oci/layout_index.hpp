#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "oci/descriptor.hpp"

namespace capsule::oci {

/// index.json of an OCI image layout (image-spec 1.1, image-layout.md): the tags (org.opencontainers.image.ref.name)
/// and the referrers, whose entries carry their subject in an annotation of ours, so that no manifest has to be read to
/// find them. Pure.
///
/// We write one entry a line. Such a file is searched as text and only the lines that match are parsed, so that many
/// tags cost little; any other tool's file is parsed as a whole and becomes ours when it is next written.
class LayoutIndex {
 public:
  static constexpr std::size_t max_bytes = std::size_t{64} << 20U;
  static constexpr std::string_view tag_annotation = "org.opencontainers.image.ref.name";
  static constexpr std::string_view subject_annotation = "ai.industriverse.capsule.subject";

  LayoutIndex() = default;  ///< an empty one
  /// Error invalid_input naming `document`.
  LayoutIndex(std::string text, std::string document);
  /// Some entries of such a file, as they stand there: what layout_lookup.hpp found of it.
  LayoutIndex(std::vector<std::string> entries, std::string document);
  LayoutIndex(const LayoutIndex&) = delete;
  LayoutIndex& operator=(const LayoutIndex&) = delete;
  ~LayoutIndex() = default;

  /// Error conflict where two entries carry the tag and name different things.
  [[nodiscard]] std::optional<Descriptor> tagged(std::string_view tag) const;
  /// Tags that begin with `prefix`, sorted.
  [[nodiscard]] std::vector<std::string> tags(std::string_view prefix) const;
  /// The entries whose subject annotation is `subject`, in their order, without their annotations.
  [[nodiscard]] std::vector<Descriptor> referrers(const Digest& subject) const;
  /// Entries without a tag and without a subject annotation, at most `limit`: other tools' referrers may be among them.
  [[nodiscard]] std::vector<Descriptor> unmarked(std::size_t limit) const;

  /// Those of `wanted` that stand there: one pass over the entries, however many are asked for. Error conflict as
  /// above.
  using Tags = std::map<std::string, Descriptor, std::less<>>;
  [[nodiscard]] Tags find_tags(const std::set<std::string, std::less<>>& wanted) const;

  /// All return whether anything changed. A tag that moves leaves a referrer behind as such.
  bool set_tag(std::string_view tag, const Descriptor& target);
  bool set_tags(Tags targets);
  bool add_referrer(const Digest& subject, const Descriptor& referrer);

  [[nodiscard]] std::string text() const;

  /// An annotation as it stands in an entry of ours.
  static std::string mark(std::string_view key, std::string_view value);
  /// Those of its two annotations that may be in an entry; what looks like one may be a part of something else.
  static std::vector<std::string_view> marks_in(std::string_view entry);

 private:
  void read_own(std::string_view entries);
  void read_foreign();
  void add(const Descriptor& entry);
  [[nodiscard]] Descriptor entry(std::string_view line) const;

  std::string m_document;
  std::string m_text;
  std::deque<std::string> m_added;        ///< what the views below name beside m_text
  std::vector<std::string_view> m_lines;  ///< one descriptor each
  std::string m_trailer = "]}\n";
};

}  // namespace capsule::oci
