#include "log/progress_share.hpp"

#include <algorithm>

namespace capsule::log {

void ProgressShare::begin(std::string_view, std::uint64_t total) {
  const std::lock_guard lock{m_mutex};
  m_total = total;
  m_done = 0;
}

void ProgressShare::advance(std::uint64_t count) {
  const std::lock_guard lock{m_mutex};
  m_done += count;
  if (m_total == 0) return;
  const auto part = std::min(1.0, static_cast<double>(m_done) / static_cast<double>(m_total));
  show(static_cast<std::uint64_t>(part * static_cast<double>(m_units)));
}

void ProgressShare::end() {
  const std::lock_guard lock{m_mutex};
  show(m_units);
}

void ProgressShare::show(std::uint64_t units) {
  if (units <= m_shown) return;
  m_whole.advance(units - m_shown);
  m_shown = units;
}

}  // namespace capsule::log
