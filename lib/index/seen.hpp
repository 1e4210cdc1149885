#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fs/fd.hpp"
#include "index/documents.hpp"

namespace capsule::index {

/// A second memory of heads beside the state folder, for who comes with an empty one.
class HeadsElsewhere {
 public:
  HeadsElsewhere() = default;
  HeadsElsewhere(const HeadsElsewhere&) = delete;
  HeadsElsewhere& operator=(const HeadsElsewhere&) = delete;
  virtual ~HeadsElsewhere() = default;
  /// `registry`: one text for each, however it was typed.
  virtual std::optional<HeadId> of(const std::string& registry, const std::string& name) = 0;
  /// That head was held against both memories, and is good.
  virtual void saw(const std::string& registry, const std::string& name, const HeadId& now) = 0;
  /// For an error: what remembers, and how that is forgotten.
  [[nodiscard]] virtual std::string where() const = 0;
};

/// Remembers the highest head of each index that this machine has seen, which makes a rollback visible, in
/// `STATE/index-seen/`, one small file per registry and name. A layout is known by its absolute path without links,
/// however it was typed.
class SeenHeads {
 public:
  /// What `elsewhere` remembers counts as well; null: there is no such memory.
  explicit SeenHeads(const fs::Path& state_folder, HeadsElsewhere* elsewhere = nullptr);
  /// The highest of both memories.
  [[nodiscard]] std::optional<HeadId> of(const std::string& registry, const std::string& name) const;
  /// Error verification_failed if `now` is older than what was seen, or another head of the same sequence; where it is
  /// newer, `require_descent` throws unless it goes on from what was seen, which it is given. Remembers it
  /// otherwise, and never sets the number back, whoever else reads at the same time; where the folder may only be read,
  /// that is a warning.
  void check_and_remember(const std::string& registry, const std::string& name, const HeadId& now,
                          const std::function<void(const HeadId& seen)>& require_descent);

 private:
  [[nodiscard]] std::optional<HeadId> of_folder(const std::string& registry, const std::string& name) const;
  [[nodiscard]] fs::Path file_of(const std::string& registry, const std::string& name) const;
  void remember(const std::string& registry, const std::string& name, const HeadId& now) const;
  fs::Path m_folder;
  HeadsElsewhere* m_elsewhere;
};

}  // namespace capsule::index
