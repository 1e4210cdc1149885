#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace capsule::deploy {

struct Energy {
  double joules = 0;
  bool estimated = true;
};

/// Measures the energy of what runs between its construction and stop(): the processor's own counter (RAPL, through
/// powercap) where it can be read, else CPU seconds × `watts`.
class EnergyMeter {
 public:
  explicit EnergyMeter(double watts);
  [[nodiscard]] Energy stop(std::chrono::milliseconds cpu) const;

 private:
  double m_watts;
  std::optional<std::uint64_t> m_start_microjoules;
};

}  // namespace capsule::deploy
