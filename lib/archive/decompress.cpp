#include "archive/decompress.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>

#include "archive/gunzip.hpp"
#include "archive/libarchive_source.hpp"
#include "core/error.hpp"

namespace capsule::archive {

namespace {

/// zstd and xz, by libarchive.
class Filtered final : public Source {
 public:
  Filtered(Source& compressed, Compression compression) : m_input(compressed), m_handle(new_reader()) {
    const int filter = compression == Compression::zstd ? ::archive_read_support_filter_zstd(m_handle.get())
                                                        : ::archive_read_support_filter_xz(m_handle.get());
    if (filter != ARCHIVE_OK || ::archive_read_support_format_raw(m_handle.get()) != ARCHIVE_OK) fail();
    m_input.open(m_handle.get());
    struct ::archive_entry* entry = nullptr;
    const int result = ::archive_read_next_header(m_handle.get(), &entry);
    m_at_end = result == ARCHIVE_EOF;
    if (!m_at_end && result != ARCHIVE_OK) fail();
  }

  std::size_t read(MutableBytes buffer) override {
    if (m_at_end) return 0;
    const auto count = ::archive_read_data(m_handle.get(), buffer.data(), buffer.size());
    if (count < 0) fail();
    return static_cast<std::size_t>(count);
  }

 private:
  [[noreturn]] void fail() {
    m_input.rethrow();
    const char* text = ::archive_error_string(m_handle.get());
    throw Error{ErrorKind::invalid_input,
                fmt::format("broken compressed stream: {}", printable(text != nullptr ? text : "unknown"))};
  }
  LibarchiveInput m_input;
  ArchivePtr m_handle;
  bool m_at_end = false;
};

bool begins_with(ByteView bytes, std::string_view magic) {
  return as_text(bytes).starts_with(magic);
}

}  // namespace

Compression detect_compression(ByteView front) {
  using namespace std::string_view_literals;
  if (begins_with(front, "\x1f\x8b"sv)) return Compression::gzip;
  if (begins_with(front, "\x28\xb5\x2f\xfd"sv)) return Compression::zstd;
  if (begins_with(front,
                  "\xfd"
                  "7zXZ\0"sv))
    return Compression::xz;
  if (begins_with(front, "BZh"sv)) {
    throw Error{ErrorKind::invalid_input, "compressed with bzip2: gzip, zstd, xz or no compression is wanted"};
  }
  return Compression::none;
}

/// The input with its first bytes looked at, and counted.
class Decompressed::Counted final : public Source {
 public:
  explicit Counted(Source& source) : m_source(source), m_front(8) { m_front.resize(read_fully(source, m_front)); }
  [[nodiscard]] ByteView front() const noexcept { return m_front; }
  [[nodiscard]] std::uint64_t count() const noexcept { return m_count; }
  std::size_t read(MutableBytes buffer) override {
    std::size_t got = std::min(buffer.size(), m_front.size() - m_used);
    if (got != 0) {
      std::copy_n(m_front.begin() + static_cast<std::ptrdiff_t>(m_used), got, buffer.begin());
      m_used += got;
    } else {
      got = m_source.read(buffer);
    }
    m_count += got;
    return got;
  }

 private:
  Source& m_source;
  Bytes m_front;
  std::size_t m_used = 0;
  std::uint64_t m_count = 0;
};

Decompressed::Decompressed(Source& compressed, const DecompressLimits& limits)
    : m_limits(limits),
      m_input(std::make_unique<Counted>(compressed)),
      m_compression(detect_compression(m_input->front())) {
  if (m_compression == Compression::gzip)
    m_decoder = std::make_unique<Gunzip>(*m_input);
  else if (m_compression != Compression::none)
    m_decoder = std::make_unique<Filtered>(*m_input, m_compression);
}

Decompressed::~Decompressed() = default;

std::size_t Decompressed::read(MutableBytes buffer) {
  const auto count = m_decoder ? m_decoder->read(buffer) : m_input->read(buffer);
  m_out += count;
  check_limits();
  return count;
}

void Decompressed::check_limits() const {
  if (m_out > m_limits.bytes) {
    throw Error{ErrorKind::invalid_input, fmt::format("more than {} when decompressed", human_size(m_limits.bytes))};
  }
  if (m_decoder && m_out > m_limits.free_bytes && m_out / m_limits.ratio > m_input->count()) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("a decompression bomb: {} from {}", human_size(m_out), human_size(m_input->count()))};
  }
}

}  // namespace capsule::archive
