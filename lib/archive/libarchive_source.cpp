#include "archive/libarchive_source.hpp"

#include <archive.h>
#include <fmt/format.h>

#include <cerrno>
#include <new>

#include "core/error.hpp"

namespace capsule::archive {

namespace {
constexpr std::size_t input_bytes = std::size_t{128} << 10U;
}

void FreeArchive::operator()(struct ::archive* handle) const noexcept {
  ::archive_read_free(handle);
}

LibarchiveInput::LibarchiveInput(Source& source) : m_source(source), m_buffer(input_bytes) {}

void LibarchiveInput::open(struct ::archive* handle) {
  const int result = ::archive_read_open(handle, this, nullptr, &LibarchiveInput::read, nullptr);
  rethrow();
  if (result < ARCHIVE_WARN) {
    const char* text = ::archive_error_string(handle);
    throw Error{ErrorKind::invalid_input,
                fmt::format("no tar archive: {}", printable(text != nullptr ? text : "unknown form"))};
  }
}

void LibarchiveInput::rethrow() {
  if (m_failure) std::rethrow_exception(m_failure);
}

ssize_t LibarchiveInput::read(struct ::archive* handle, void* self, const void** bytes) {
  auto& input = *static_cast<LibarchiveInput*>(self);
  try {
    const auto count = input.m_source.read(input.m_buffer);
    *bytes = input.m_buffer.data();
    return static_cast<ssize_t>(count);
  } catch (...) {
    input.m_failure = std::current_exception();
    ::archive_set_error(handle, EIO, "the input failed");
    return ARCHIVE_FATAL;
  }
}

ArchivePtr new_reader() {
  ArchivePtr out{::archive_read_new()};
  if (!out) throw std::bad_alloc{};
  return out;
}

}  // namespace capsule::archive
