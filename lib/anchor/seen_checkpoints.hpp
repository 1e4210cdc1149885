#pragma once

#include <optional>
#include <string>

#include "anchor/checkpoint.hpp"
#include "fs/fd.hpp"

namespace capsule::anchor {

/// The newest checkpoint that this machine signed for each log, kept in `STATE/log-seen/`: what makes it visible that a
/// log lost entries. One file per name and key, not per folder: two logs of one name and key contradict each other,
/// wherever they lie.
class SeenCheckpoints {
 public:
  explicit SeenCheckpoints(const fs::Path& state_folder);
  /// Nothing where none was remembered. Error verification_failed if what is there is not `key`'s.
  [[nodiscard]] std::optional<Checkpoint> of(std::string_view name, const crypto::PublicKey& key) const;
  /// Remembers a signed note of that log; where the folder may only be read, that is a warning.
  void remember(std::string_view name, const crypto::PublicKey& key, std::string_view note) const;
  [[nodiscard]] fs::Path file_of(std::string_view name, const crypto::PublicKey& key) const;

 private:
  fs::Path m_folder;
};

}  // namespace capsule::anchor
