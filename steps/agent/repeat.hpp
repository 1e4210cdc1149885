#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace agent {

/// Does something on a thread of its own, again and again, until it goes.
class Repeat {
 public:
  Repeat(std::chrono::milliseconds interval, std::function<void()> work)
      : m_work(std::move(work)), m_thread([this, interval] { repeat(interval); }) {}
  Repeat(const Repeat&) = delete;
  Repeat& operator=(const Repeat&) = delete;
  ~Repeat() {
    {
      const std::lock_guard lock{m_mutex};
      m_over = true;
    }
    m_changed.notify_all();
    m_thread.join();
  }

 private:
  void repeat(std::chrono::milliseconds interval) {
    std::unique_lock lock{m_mutex};
    while (!m_changed.wait_for(lock, interval, [this] { return m_over; })) m_work();
  }

  const std::function<void()> m_work;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  bool m_over = false;
  std::thread m_thread;
};

}  // namespace agent
