#include "archive/foreign_gzip.hpp"

#include <zlib.h>

#include <new>

#include "core/error.hpp"

namespace capsule::archive {

namespace {

constexpr std::size_t input_bytes = std::size_t{256} << 10U;
constexpr int gzip_only = 15 + 16;  // the largest window; a gzip header, nothing else

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, std::string{reason}};
}

}  // namespace

struct ForeignGzip::State {
  z_stream stream{};
  Bytes input;
  Source& rest;
  bool at_end = false;

  State(ByteView front, Source& source) : input(front.begin(), front.end()), rest(source) {
    if (inflateInit2(&stream, gzip_only) != Z_OK) throw std::bad_alloc{};
    offer(input.size());
    input.resize(std::max(input.size(), input_bytes));
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { inflateEnd(&stream); }

  void offer(std::size_t count) {
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(count);
  }
  /// Whether there is input.
  bool fill() {
    if (stream.avail_in == 0) offer(rest.read(input));
    return stream.avail_in != 0;
  }
};

ForeignGzip::ForeignGzip(ByteView front, Source& rest) : m_state(std::make_unique<State>(front, rest)) {}
ForeignGzip::~ForeignGzip() = default;

std::size_t ForeignGzip::read(MutableBytes buffer) {
  if (m_state->at_end || buffer.empty()) return 0;
  auto& stream = m_state->stream;
  const auto wanted = static_cast<uInt>(std::min<std::size_t>(buffer.size(), std::size_t{1} << 30U));
  stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
  stream.avail_out = wanted;
  while (stream.avail_out != 0) {
    if (!m_state->fill()) refuse("the package is cut off: its gzip stream has no end");
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc{};
    if (result == Z_STREAM_END) {
      if (m_state->fill()) refuse("the package has bytes behind the end of its gzip stream");
      m_state->at_end = true;
      break;
    }
    if (result != Z_OK) {
      const std::string_view why = stream.msg == nullptr ? "it is no gzip stream" : stream.msg;
      refuse("the package's gzip stream is damaged: " + std::string{why});
    }
  }
  return wanted - stream.avail_out;
}

}  // namespace capsule::archive
