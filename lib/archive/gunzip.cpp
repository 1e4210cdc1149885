#include "archive/gunzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "core/error.hpp"

namespace capsule::archive {

namespace {

constexpr std::size_t input_bytes = std::size_t{128} << 10U;
constexpr int gzip_with_largest_window = 16 + MAX_WBITS;

}  // namespace

struct Gunzip::State {
  State() : input(input_bytes) {
    if (::inflateInit2(&stream, gzip_with_largest_window) != Z_OK) throw std::bad_alloc{};
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ::inflateEnd(&stream); }

  z_stream stream{};
  Bytes input;
  bool in_member = true;
  bool at_end = false;
};

Gunzip::Gunzip(Source& compressed) : m_compressed(compressed), m_state(std::make_unique<State>()) {}
Gunzip::~Gunzip() = default;

bool Gunzip::refill() {
  if (m_state->stream.avail_in != 0) return true;
  const auto count = m_compressed.read(m_state->input);
  m_state->stream.next_in = reinterpret_cast<Bytef*>(m_state->input.data());
  m_state->stream.avail_in = static_cast<uInt>(count);
  return count != 0;
}

bool Gunzip::begin_next_member() {
  if (!refill()) {
    m_state->at_end = true;
    return false;
  }
  if (::inflateReset(&m_state->stream) != Z_OK) throw Error{ErrorKind::invalid_input, "gzip: cannot begin a member"};
  m_state->in_member = true;
  return true;
}

std::size_t Gunzip::read(MutableBytes buffer) {
  auto& stream = m_state->stream;
  const auto wanted = std::min<std::size_t>(buffer.size(), std::numeric_limits<uInt>::max());
  stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
  stream.avail_out = static_cast<uInt>(wanted);
  while (stream.avail_out != 0 && !m_state->at_end) {
    if (!m_state->in_member && !begin_next_member()) break;
    const bool more = refill();
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      m_state->in_member = false;
    } else if (result == Z_BUF_ERROR && !more) {
      throw Error{ErrorKind::invalid_input, "the gzip stream ends too early"};
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("broken gzip stream: {}", stream.msg != nullptr ? stream.msg : "it cannot be inflated")};
    }
  }
  return wanted - stream.avail_out;
}

}  // namespace capsule::archive
