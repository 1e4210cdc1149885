#include "workflow/crew.hpp"

#include <new>
#include <system_error>
#include <utility>

namespace capsule::workflow {

bool Seats::try_take() noexcept {
  auto free = m_free.load();
  while (free > 0) {
    if (m_free.compare_exchange_weak(free, free - 1)) return true;
  }
  return false;
}

bool Room::try_take() noexcept {
  if (!run.try_take()) return false;
  if (own.try_take()) return true;
  run.give();
  return false;
}

void Room::give() noexcept {
  own.give();
  run.give();
}

void Crew::add(Job job) {
  const std::lock_guard lock{m_mutex};
  if (!m_fault) m_ready.push_back(std::move(job));
}

/// Finds helpers for all jobs but one, which the caller does itself.
void Crew::hire(Lock& lock) {
  for (auto& thread : std::exchange(m_gone, {})) thread.join();
  while (lock && m_ready.size() > 1 && m_room.try_take()) {
    std::list<std::thread> fresh;
    try {
      const auto self = fresh.emplace(fresh.end());
      // It waits for our lock, and is in its place of the list by then.
      *self = std::thread{[this, self, job = m_ready.front()] { help(self, job); }};
    } catch (const std::exception&) {  // no thread, or no memory for one, is to be had
      m_room.give();
      return;
    }
    m_helpers.splice(m_helpers.end(), fresh);
    m_ready.pop_front();
  }
}

void Crew::perform(const Job& job, Lock& lock) noexcept {
  lock.unlock();
  std::exception_ptr fault;
  try {
    job();
  } catch (...) {
    fault = std::current_exception();
  }
  lock.lock();
  if (!fault) return;
  if (!m_fault) m_fault = fault;
  m_ready.clear();
}

void Crew::work(Lock& lock) {
  while (!m_ready.empty()) {
    hire(lock);
    const auto job = std::move(m_ready.front());
    m_ready.pop_front();
    perform(job, lock);
  }
}

void Crew::help(std::list<std::thread>::iterator self, const Job& first) noexcept {
  Lock lock{m_mutex};
  if (!m_fault) perform(first, lock);
  work(lock);
  m_gone.splice(m_gone.end(), m_helpers, self);
  // The last one hands its seat over to the owner, who goes on.
  if (m_helpers.empty() && m_owner_waits)
    m_changed.notify_all();
  else
    m_room.give();
}

void Crew::run() {
  Lock lock{m_mutex};
  work(lock);
  if (!m_helpers.empty()) {
    m_owner_waits = true;
    m_room.give();
    m_changed.wait(lock, [this] { return m_helpers.empty(); });
    m_owner_waits = false;
  }
  for (auto& thread : m_gone) thread.join();
  m_gone.clear();
  if (m_fault) std::rethrow_exception(m_fault);
}

}  // namespace capsule::workflow
