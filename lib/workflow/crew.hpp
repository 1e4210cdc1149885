#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace capsule::workflow {

/// How many threads may work at once: who works holds a seat.
class Seats {
 public:
  explicit Seats(std::size_t free) noexcept : m_free(free) {}
  bool try_take() noexcept;
  void give() noexcept { ++m_free; }

 private:
  std::atomic<std::size_t> m_free;
};

/// The seats of a whole run, and those of one template in it: who works in the template holds one of each.
struct Room {
  Seats& run;
  Seats& own;
  bool try_take() noexcept;
  void give() noexcept;
};

/// Jobs that may be done at once. The thread that calls run() works too; further threads join while there are seats,
/// and threads, to be had: without any, the jobs are done one after the other. No thread waits for a seat, and one that
/// waits for others lends its own, so that nested crews share the seats without a dead-lock.
class Crew {
 public:
  using Job = std::function<void()>;

  /// The caller holds a seat in `room`.
  explicit Crew(Room room) : m_room(room) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() = default;

  /// Before run(), or from a job.
  void add(Job job);
  /// Returns when all jobs are done. The first exception of a job is thrown then; what had not begun was left.
  void run();

 private:
  using Lock = std::unique_lock<std::mutex>;
  void hire(Lock& lock);
  void help(std::list<std::thread>::iterator self, const Job& first) noexcept;
  void work(Lock& lock);
  void perform(const Job& job, Lock& lock) noexcept;

  Room m_room;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::deque<Job> m_ready;
  std::list<std::thread> m_helpers;
  std::list<std::thread> m_gone;  ///< helpers that have nothing more to do, to be joined
  bool m_owner_waits = false;
  std::exception_ptr m_fault;
};

}  // namespace capsule::workflow
