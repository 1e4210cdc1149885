#pragma once

#include <sys/types.h>

#include <exception>
#include <memory>
#include <string>

#include "core/stream.hpp"

struct archive;  // libarchive's; its types stay inside of this module

namespace capsule::archive {

struct FreeArchive {
  void operator()(struct ::archive* handle) const noexcept;
};
using ArchivePtr = std::unique_ptr<struct ::archive, FreeArchive>;

/// A Source as libarchive wants its input. An exception must not cross C code: it is kept, and thrown by rethrow().
class LibarchiveInput {
 public:
  explicit LibarchiveInput(Source& source);
  /// Bytes that went by. Error invalid_input for those that are gone: the last 384 KiB are always there.
  [[nodiscard]] std::string bytes_between(std::uint64_t start, std::uint64_t end) const;
  /// Opens a handle whose readers are chosen already.
  void open(struct ::archive* handle);
  void rethrow();

 private:
  static ssize_t read(struct ::archive* handle, void* self, const void** bytes);
  Source& m_source;
  Bytes m_ring;  ///< the byte at position p of the stream stands at p % size
  std::uint64_t m_count = 0;
  std::exception_ptr m_failure;
};

/// A new handle for reading, with no readers.
ArchivePtr new_reader();

}  // namespace capsule::archive
