#pragma once

#include <chrono>
#include <optional>

#include "process/confinement.hpp"
#include "process/folder_use.hpp"
#include "process/process.hpp"

namespace capsule::process {

/// Holds a folder against that, with little work at a time.
class VolumeWatch {
 public:
  using Clock = std::chrono::steady_clock;
  explicit VolumeWatch(Volume volume);
  /// To be asked many times a second. What it holds where that is too much. All of it is known about a second after it
  /// was written; of a hundred thousand files, some seconds.
  [[nodiscard]] std::optional<Full> overfull(Clock::time_point now = Clock::now());
  /// The same at once, however many files there are.
  [[nodiscard]] static std::optional<Full> overfull_now(const Volume& volume);

 private:
  Volume m_volume;
  FolderUse m_use;
  Clock::time_point m_next;
  Clock::duration m_cost{};  ///< of this look, so far
  bool m_suspected = false;  ///< the look before this one found too much
};

}  // namespace capsule::process
