#include "deploy/energy.hpp"

#include <charconv>

#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::deploy {

namespace {

std::optional<std::uint64_t> read_number(const char* file) {
  try {
    const auto text = fs::read_file(file, 64);
    std::uint64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{}) return value;
  } catch (const Error&) {
    // Not there, or for root alone: then it is estimated.
  }
  return std::nullopt;
}

std::optional<std::uint64_t> package_energy() {
  return read_number("/sys/class/powercap/intel-rapl:0/energy_uj");
}

}  // namespace

EnergyMeter::EnergyMeter(double watts) : m_watts(watts), m_start_microjoules(package_energy()) {}

Energy EnergyMeter::stop(std::chrono::milliseconds cpu) const {
  const auto end = package_energy();
  if (m_start_microjoules && end) {
    auto used = *end - *m_start_microjoules;
    // The counter wraps at max_energy_range_uj.
    if (*end < *m_start_microjoules)
      used += read_number("/sys/class/powercap/intel-rapl:0/max_energy_range_uj").value_or(0);
    return {static_cast<double>(used) / 1e6, false};
  }
  return {static_cast<double>(cpu.count()) / 1e3 * m_watts, true};
}

}  // namespace capsule::deploy
