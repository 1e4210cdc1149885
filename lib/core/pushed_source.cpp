#include "core/pushed_source.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace capsule {

PushedSource::PushedSource(std::size_t capacity) : m_ring(capacity) {}

void PushedSource::write(ByteView bytes) {
  std::unique_lock lock{m_mutex};
  while (!bytes.empty()) {
    m_changed.wait(lock, [this] { return m_stopped || m_filled < m_ring.size(); });
    if (m_stopped) return;
    const auto end = (m_start + m_filled) % m_ring.size();
    const auto room = std::min({m_ring.size() - m_filled, m_ring.size() - end, bytes.size()});
    lock.unlock();  // what is free is the writer's alone, what is filled the reader's: both copy at once
    std::copy_n(bytes.begin(), room, m_ring.begin() + static_cast<std::ptrdiff_t>(end));
    lock.lock();
    m_filled += room;
    bytes = bytes.subspan(room);
    m_changed.notify_all();
  }
}

void PushedSource::finish() {
  const std::lock_guard lock{m_mutex};
  m_finished = true;
  m_changed.notify_all();
}

void PushedSource::abandon(std::exception_ptr reason) {
  const std::lock_guard lock{m_mutex};
  m_reason = std::move(reason);
  m_abandoned = true;
  m_changed.notify_all();
}

std::size_t PushedSource::read(MutableBytes buffer) {
  std::unique_lock lock{m_mutex};
  m_changed.wait(lock, [this] { return m_abandoned || m_finished || m_filled != 0; });
  if (m_abandoned && m_reason) std::rethrow_exception(m_reason);
  if (m_abandoned) throw Error{ErrorKind::invalid_input, "the stream was given up"};
  const auto count = std::min({m_filled, m_ring.size() - m_start, buffer.size()});
  lock.unlock();
  std::copy_n(m_ring.begin() + static_cast<std::ptrdiff_t>(m_start), count, buffer.begin());
  lock.lock();
  m_start = (m_start + count) % m_ring.size();
  m_filled -= count;
  m_changed.notify_all();
  return count;
}

void PushedSource::stop_reading() {
  const std::lock_guard lock{m_mutex};
  m_stopped = true;
  m_changed.notify_all();
}

bool PushedSource::is_stopped() {
  const std::lock_guard lock{m_mutex};
  return m_stopped;
}

}  // namespace capsule
