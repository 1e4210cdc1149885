#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "capsule/verified_capsule.hpp"
#include "fs/fd.hpp"
#include "image/published_package.hpp"
#include "image/working_store.hpp"

namespace capsule::image {

/// The package that a step's CAPSULE argument names: a file, `sha256:<package digest>` in the working store, or a
/// reference to something published. Finding it believes nothing: read it through verify_package, then check().
class CapsuleArgument {
 public:
  /// Errors: not_found, usage (no such form), invalid_input (what is published is no capsule).
  static CapsuleArgument find(const std::string& text, const WorkingStore& store);

  /// A new Source each time, from the front.
  [[nodiscard]] std::unique_ptr<Source> open() const;
  [[nodiscard]] std::uint64_t size() const noexcept { return m_size; }  ///< bytes; for progress alone
  /// Error verification_failed unless the capsule that was read is the one that was named.
  void check(const VerifiedCapsule& capsule) const;

  /// What stands beside the package file under that suffix, at most 4 MiB; nothing for a reference.
  [[nodiscard]] std::optional<std::string> sibling(std::string_view suffix) const;
  /// The package as a file; empty for a reference.
  [[nodiscard]] const fs::Path& file() const noexcept { return m_file; }
  /// What a reference was resolved to; null for a file.
  [[nodiscard]] const PublishedPackage* published() const noexcept { return m_published ? &*m_published : nullptr; }
  [[nodiscard]] const std::string& text() const noexcept { return m_text; }  ///< as it was given

 private:
  explicit CapsuleArgument(std::string text) : m_text(std::move(text)) {}
  std::string m_text;
  fs::Path m_file;
  std::uint64_t m_size = 0;
  std::optional<Digest> m_wanted;       ///< of the package, where the argument names it
  std::unique_ptr<oci::Store> m_store;  ///< of m_published
  std::optional<PublishedPackage> m_published;
};

}  // namespace capsule::image
