#include "process/volume_watch.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace capsule::process {

namespace {

using namespace std::chrono_literals;

/// A few milliseconds' worth.
constexpr std::size_t entries_at_a_time = 2000;
/// Between two looks: so much longer than a look's own work.
constexpr int parts_of_rest = 20;
constexpr VolumeWatch::Clock::duration shortest_rest = 200ms;
constexpr VolumeWatch::Clock::duration longest_rest = 10s;
constexpr auto all = std::numeric_limits<std::size_t>::max();

}  // namespace

VolumeWatch::VolumeWatch(Volume volume) : m_volume(std::move(volume)), m_use(m_volume.folder) {}

std::optional<Full> VolumeWatch::overfull(Clock::time_point now) {
  if (now < m_next) return std::nullopt;
  const bool is_whole = m_use.look(entries_at_a_time);
  m_cost += Clock::now() - now;
  const auto found = m_use.bytes();
  const bool is_too_much = found > m_volume.size;
  if (is_too_much && m_suspected) return Full{m_volume.folder, found, m_volume.size};
  if (!is_too_much && !is_whole) return std::nullopt;
  // What is moved about in mid-look may be seen twice: only the second time in a row is believed.
  m_suspected = is_too_much;
  if (!is_too_much) m_next = now + std::clamp(m_cost * parts_of_rest, shortest_rest, longest_rest);
  m_cost = {};
  m_use.begin();
  return std::nullopt;
}

std::optional<Full> VolumeWatch::overfull_now(const Volume& volume) {
  FolderUse use{volume.folder};
  use.look(all);
  if (use.bytes() <= volume.size) return std::nullopt;
  return Full{volume.folder, use.bytes(), volume.size};
}

}  // namespace capsule::process
