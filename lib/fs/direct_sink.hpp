#pragma once

#include <cstdint>
#include <memory>

#include "fs/atomic_file.hpp"

namespace capsule::fs {

/// Writes a long stream into a new file past the page cache (O_DIRECT), in a thread of its own: through the cache,
/// writing a gigabyte and waiting for it costs as much time of the processor as hashing it three times. Where the file
/// system has no such writes, they go through the cache. Holds 2 MiB.
class DirectSink final : public Sink {
 public:
  /// Below this size the cache is the better place: whoever reads the file next finds it there.
  static constexpr std::uint64_t worthwhile_bytes = std::uint64_t{64} << 20U;

  /// `file` is empty, outlives the sink, and is written by nobody else until finish() returns.
  explicit DirectSink(AtomicFile& file);
  DirectSink(const DirectSink&) = delete;
  DirectSink& operator=(const DirectSink&) = delete;
  ~DirectSink() override;
  void write(ByteView bytes) override;
  /// Waits until all is written; afterwards the file can be committed. Throws what a write threw.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace capsule::fs
