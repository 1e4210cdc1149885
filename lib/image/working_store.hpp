#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "fs/fd.hpp"

namespace capsule::image {

/// What may stand beside a package: `<package><suffix>`. None of it is trusted because of where it stands.
inline constexpr std::array<std::string_view, 3> sibling_suffixes{".sigstore.json", ".oci.sigstore.json", ".oci.json"};
inline constexpr std::size_t max_sibling_bytes = std::size_t{4} << 20U;
/// Beside a package that came out of a registry: its version index, which says what the package is.
inline constexpr std::string_view index_suffix = ".oci.index.json";

/// The working store: packages by their digest, `ROOT/sha256/<hex>/package.tar.gz` with their siblings. A package is
/// there whole or not at all; nothing in it is ever changed.
class WorkingStore {
 public:
  explicit WorkingStore(fs::Path root) : m_root(std::move(root)) {}

  [[nodiscard]] const fs::Path& root() const noexcept { return m_root; }
  /// Where the package of that digest is, or would be. Error usage for another algorithm than sha256.
  [[nodiscard]] fs::Path package(const Digest& digest) const;
  [[nodiscard]] bool has(const Digest& digest) const;
  /// The package of that digest; Error not_found that says how to get it.
  [[nodiscard]] fs::Path find(const Digest& digest) const;

  /// Makes the folder of that digest; put_sibling and whoever writes the package need it.
  void prepare(const Digest& digest) const;
  /// Writes one sibling, atomically, unless it is there with these bytes. Siblings come before their package.
  void put_sibling(const Digest& digest, std::string_view suffix, std::string_view content) const;
  /// Moves a whole, durable file of the same file system in place as the package of that digest.
  void adopt(const Digest& digest, const fs::Path& file) const;
  /// Removes the folder of that digest if no package came into it: after a failure.
  void discard_unfinished(const Digest& digest) const noexcept;

 private:
  fs::Path m_root;
};

}  // namespace capsule::image
