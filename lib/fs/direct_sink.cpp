#include "fs/direct_sink.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

namespace capsule::fs {

namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} << 10U;
constexpr std::size_t buffer_count = 4;
/// What the strictest file systems want of addresses, offsets and lengths.
constexpr std::size_t alignment = 4096;

struct FreeMemory {
  void operator()(std::byte* memory) const noexcept { std::free(memory); }
};

struct Buffer {
  std::unique_ptr<std::byte, FreeMemory> memory{static_cast<std::byte*>(std::aligned_alloc(alignment, buffer_bytes))};
  std::size_t size = 0;
  bool full = false;  ///< the writer's turn

  [[nodiscard]] ByteView bytes() const noexcept { return {memory.get(), size}; }
};

/// Whether the file's writes now go past the cache, or not.
bool set_direct(int fd, bool direct) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

}  // namespace

struct DirectSink::State {
  explicit State(AtomicFile& target) : file(target), direct(set_direct(target.fd(), true)) {
    for (const auto& buffer : buffers) {
      if (!buffer.memory) throw std::bad_alloc{};
    }
    thread = std::jthread{[this] { drain(); }};
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { stop(); }

  void put(ByteView bytes) {
    while (!bytes.empty()) {
      auto& buffer = buffers.at(filling);
      wait_until([&] { return !buffer.full; });
      const auto count = std::min(bytes.size(), buffer_bytes - buffer.size);
      std::memcpy(buffer.memory.get() + buffer.size, bytes.data(), count);
      buffer.size += count;
      bytes = bytes.subspan(count);
      if (buffer.size == buffer_bytes) hand_over();
    }
  }

  void finish() {
    wait_until([&] { return !buffers.at(filling).full; });
    if (buffers.at(filling).size > 0) hand_over();
    stop();
    if (error) std::rethrow_exception(error);  // the thread is gone: no lock is needed
    set_direct(file.fd(), false);
  }

 private:
  template <typename Condition>
  void wait_until(const Condition& condition) {
    std::unique_lock lock{mutex};
    changed.wait(lock, [&] { return error || condition(); });
    if (error) std::rethrow_exception(error);
  }

  void hand_over() {
    {
      const std::lock_guard lock{mutex};
      buffers.at(filling).full = true;
    }
    changed.notify_all();
    filling = (filling + 1) % buffer_count;
  }

  void stop() {
    {
      const std::lock_guard lock{mutex};
      ended = true;
    }
    changed.notify_all();
    if (thread.joinable()) thread.join();
  }

  void drain() noexcept {
    try {
      for (std::size_t i = 0;; i = (i + 1) % buffer_count) {
        auto& buffer = buffers.at(i);
        wait_until([&] { return buffer.full || ended; });
        if (!buffer.full) return;
        write(buffer);
        const std::lock_guard lock{mutex};
        buffer.size = 0;
        buffer.full = false;
        changed.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock{mutex};
      error = std::current_exception();
      changed.notify_all();
    }
  }

  void write(const Buffer& buffer) {
    auto rest = buffer.bytes();
    if (direct && rest.size() % alignment != 0) leave_direct();
    while (direct && !rest.empty()) {
      const auto count = ::write(file.fd(), rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      // A file system may take the flag and not the write; a short write leaves the offset unaligned.
      const bool refused = count < 0 && errno == EINVAL;
      if (count > 0) rest = rest.subspan(static_cast<std::size_t>(count));
      if (refused || count == 0 || (count > 0 && !rest.empty())) leave_direct();
      if (count < 0 && !refused) break;  // AtomicFile says what is wrong
    }
    file.write(rest);
  }

  void leave_direct() {
    set_direct(file.fd(), false);
    direct = false;
  }

  AtomicFile& file;
  std::array<Buffer, buffer_count> buffers;
  std::size_t filling = 0;
  bool direct;
  bool ended = false;
  std::exception_ptr error;
  std::mutex mutex;
  std::condition_variable changed;
  std::jthread thread;
};

DirectSink::DirectSink(AtomicFile& file) : m_state(std::make_unique<State>(file)) {}

DirectSink::~DirectSink() = default;

void DirectSink::write(ByteView bytes) {
  m_state->put(bytes);
}

void DirectSink::finish() {
  m_state->finish();
}

}  // namespace capsule::fs
