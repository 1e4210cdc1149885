#include "oci/settling.hpp"

#include <algorithm>

namespace capsule::oci {

using std::chrono::milliseconds;

milliseconds settling_time(milliseconds own_write, double random) noexcept {
  constexpr milliseconds least{100};
  constexpr milliseconds most{10'000};
  constexpr int others_are_slower = 4;
  const auto base = std::clamp(others_are_slower * own_write, least, most);
  return base + milliseconds{static_cast<long>(static_cast<double>(base.count()) * random)};
}

bool Settling::time(const std::function<bool()>& write) {
  const auto began = m_timer.now();
  bool put = true;  // what fails may have been done
  const auto take = [&] {
    const auto took = std::chrono::ceil<milliseconds>(m_timer.now() - began);
    if (put) m_longest = std::max(m_longest.value_or(took), took);
  };
  try {
    put = write();
  } catch (...) {
    take();
    throw;
  }
  take();
  return put;
}

void Settling::wait() {
  if (!m_longest) return;
  m_timer.sleep(settling_time(*m_longest, m_timer.random()));
  m_longest.reset();
}

}  // namespace capsule::oci
