#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>

#include "core/stream.hpp"

namespace capsule {

/// A pipe between two threads: what one writes the other reads, through one buffer of fixed size. Lets a reader that
/// pulls (a tar in a tar) work on bytes that go by.
class PushedSource final : public Sink, public Source {
 public:
  explicit PushedSource(std::size_t capacity = std::size_t{512} << 10U);

  /// Waits while the buffer is full. What comes after stop_reading() is dropped.
  void write(ByteView bytes) override;
  /// No more will be written: the reader sees the end.
  void finish();
  /// The writer failed: the reader gets an Error instead of the end; `reason`, if there is one.
  void abandon(std::exception_ptr reason = {});

  std::size_t read(MutableBytes buffer) override;
  /// The reader needs no more: the writer never waits again.
  void stop_reading();
  [[nodiscard]] bool is_stopped();

 private:
  std::mutex m_mutex;
  std::condition_variable m_changed;
  Bytes m_ring;
  std::size_t m_start = 0;
  std::size_t m_filled = 0;
  bool m_finished = false;
  bool m_abandoned = false;
  bool m_stopped = false;
  std::exception_ptr m_reason;
};

}  // namespace capsule
