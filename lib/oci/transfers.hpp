#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "log/progress.hpp"
#include "oci/reference.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

/// A small blob that is kept in memory.
BlobContent text_content(std::string_view text);

/// How many blobs are on their way to a registry at once: a disk gains nothing by several writers.
unsigned transfers_at_once(const RegistryLocation& registry);

/// Brings blobs into a repository, several at once, each in a thread. After a failure what is on its way is broken off.
class Transfers {
 public:
  /// With one at once the work is done by finish(), without a thread. `store` must outlive it.
  Transfers(Store& store, unsigned at_once);
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;
  /// Breaks off what is on its way.
  ~Transfers();

  enum class Count { yes, no };
  /// `content` must stay readable, from several threads, until finish() has returned. Count::no: not in blobs(),
  /// bytes().
  void add(BlobContent content, Count count = Count::yes);
  /// From now on `progress` is told of each byte, at once of those that are done already.
  void show(log::Progress& progress);
  /// Waits for all; the first failure is thrown.
  void finish();

  /// Which are in the repository now. After finish().
  [[nodiscard]] const std::vector<Digest>& brought() const noexcept { return m_brought; }
  [[nodiscard]] std::size_t blobs() const noexcept { return m_blobs; }    ///< that were not there and had to be sent
  [[nodiscard]] std::uint64_t bytes() const noexcept { return m_bytes; }  ///< of these

 private:
  class Watched;
  struct Order {
    BlobContent content;
    Count count;
  };
  void work() noexcept;
  std::optional<Order> next();
  void put(const Order& order);
  void fail(std::exception_ptr reason) noexcept;
  void advance(std::uint64_t count);
  void join() noexcept;

  Store& m_store;
  unsigned m_at_once;
  std::mutex m_mutex;  ///< of the queue, the failure, the progress, what was brought
  std::condition_variable m_changed;
  std::deque<Order> m_queue;
  std::exception_ptr m_failure;
  bool m_complete = false;  ///< no more will be added
  std::atomic<bool> m_stopped = false;
  std::atomic<std::size_t> m_blobs = 0;
  std::atomic<std::uint64_t> m_bytes = 0;
  std::vector<Digest> m_brought;
  std::uint64_t m_done = 0;
  log::Progress* m_progress = nullptr;
  std::vector<std::thread> m_threads;
};

}  // namespace capsule::oci
