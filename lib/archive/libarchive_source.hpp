#pragma once

#include <sys/types.h>

#include <exception>
#include <memory>

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
  /// Opens a handle whose readers are chosen already.
  void open(struct ::archive* handle);
  void rethrow();

 private:
  static ssize_t read(struct ::archive* handle, void* self, const void** bytes);
  Source& m_source;
  Bytes m_buffer;
  std::exception_ptr m_failure;
};

/// A new handle for reading, with no readers.
ArchivePtr new_reader();

}  // namespace capsule::archive
