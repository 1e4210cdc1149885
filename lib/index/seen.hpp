#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fs/fd.hpp"
#include "index/documents.hpp"

namespace capsule::index {

/// Remembers the highest head of each index that this machine has seen, which makes a rollback visible, in
/// `STATE/index-seen/`, one small file per registry and name. A layout is known by its absolute path without links,
/// however it was typed.
class SeenHeads {
 public:
  explicit SeenHeads(const fs::Path& state_folder);
  [[nodiscard]] std::optional<HeadId> of(const std::string& registry, const std::string& name) const;
  /// Error verification_failed if `now` is older than what was seen, or another head of the same sequence; where it is
  /// newer, `require_descent` throws unless it goes on from what was seen, which it is given. Remembers it
  /// otherwise, and never sets the number back, whoever else reads at the same time; where the folder may only be read,
  /// that is a warning.
  void check_and_remember(const std::string& registry, const std::string& name, const HeadId& now,
                          const std::function<void(const HeadId& seen)>& require_descent);

 private:
  [[nodiscard]] fs::Path file_of(const std::string& registry, const std::string& name) const;
  void remember(const std::string& registry, const std::string& name, const HeadId& now) const;
  fs::Path m_folder;
};

}  // namespace capsule::index
