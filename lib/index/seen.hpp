#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "fs/fd.hpp"

namespace capsule::index {

/// The highest head of one index that this machine has seen: what makes a rollback visible.
struct Seen {
  std::uint64_t sequence = 0;
  Digest digest;
};

/// Remembers heads in `STATE/index-seen/`, one small file per registry and name. A layout is known by its
/// absolute path without links, however it was typed.
class SeenHeads {
 public:
  explicit SeenHeads(const fs::Path& state_folder);
  [[nodiscard]] std::optional<Seen> of(const std::string& registry, const std::string& name) const;
  /// Error verification_failed if `now` is older than what was seen, or another head of the same sequence. Remembers it
  /// otherwise, and never sets the number back, whoever else reads at the same time; where the folder may only be read,
  /// that is a warning.
  void check_and_remember(const std::string& registry, const std::string& name, const Seen& now);

 private:
  [[nodiscard]] fs::Path file_of(const std::string& registry, const std::string& name) const;
  void remember(const std::string& registry, const std::string& name, const Seen& now) const;
  fs::Path m_folder;
};

}  // namespace capsule::index
