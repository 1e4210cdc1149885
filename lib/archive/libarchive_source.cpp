#include "archive/libarchive_source.hpp"

#include <archive.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "core/error.hpp"

namespace capsule::archive {

namespace {
constexpr std::size_t input_bytes = std::size_t{128} << 10U;
constexpr std::size_t kept_bytes = 4 * input_bytes;
}  // namespace

void FreeArchive::operator()(struct ::archive* handle) const noexcept {
  ::archive_read_free(handle);
}

LibarchiveInput::LibarchiveInput(Source& source) : m_source(source), m_ring(kept_bytes) {}

std::string LibarchiveInput::bytes_between(std::uint64_t start, std::uint64_t end) const {
  const auto newest = (m_count + input_bytes - 1) / input_bytes * input_bytes;
  if (start > end || end > m_count || newest - start > m_ring.size())
    throw Error{ErrorKind::invalid_input, "a tar header has more than 384 KiB"};
  std::string out;
  while (start < end) {
    const auto at = static_cast<std::size_t>(start % m_ring.size());
    const auto count = std::min<std::uint64_t>(end - start, m_ring.size() - at);
    out += as_text(ByteView{m_ring}.subspan(at, static_cast<std::size_t>(count)));
    start += count;
  }
  return out;
}

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
  if (input.m_count % input_bytes != 0) return 0;  // the last piece was not full
  try {
    // Whole pieces, so that the next one never tears the one before.
    const auto piece =
        MutableBytes{input.m_ring}.subspan(static_cast<std::size_t>(input.m_count % input.m_ring.size()), input_bytes);
    const auto count = read_fully(input.m_source, piece);
    input.m_count += count;
    *bytes = piece.data();
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
