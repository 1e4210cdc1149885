#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/url.hpp"
#include "fs/fd.hpp"

namespace capsule::oci {

/// Which repositories of a registry were seen to hold a large blob, so that another repository there gets it by a mount
/// (distribution-spec 1.1, "Mounting a blob from another repository"): a capsule under another name, a base image that
/// several share. A hint and no more, in small files of the state folder, one for each registry and blob; the newest
/// 1,024 are kept. What cannot be read or written is as if there were none.
class BlobHolders {
 public:
  static constexpr std::uint64_t worthwhile_bytes = std::uint64_t{1} << 20U;  ///< smaller blobs are not remembered
  static constexpr std::size_t max_repositories = 4;
  static constexpr std::size_t max_blobs = 1024;

  /// `registry`: https://HOST[:PORT]/. An empty folder: nothing is remembered.
  BlobHolders(fs::Path folder, const Url& registry);
  /// The repositories that hold it, the one seen last first.
  [[nodiscard]] std::vector<std::string> of(const Digest& blob) const;
  void add(const Digest& blob, std::string_view repository) const;

 private:
  [[nodiscard]] fs::Path file(const Digest& blob) const;
  fs::Path m_folder;
  std::string m_registry;
};

}  // namespace capsule::oci
