#include "core/stream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule {

void StringSink::write(ByteView bytes) {
  if (bytes.size() > m_limit - m_text.size()) {
    throw Error{ErrorKind::invalid_input, fmt::format("larger than the limit of {}", human_size(m_limit))};
  }
  m_text.append(as_text(bytes));
}

std::size_t ViewSource::read(MutableBytes buffer) {
  const auto count = std::min(buffer.size(), m_rest.size());
  std::copy_n(m_rest.begin(), count, buffer.begin());
  m_rest = m_rest.subspan(count);
  return count;
}

std::uint64_t copy(Source& from, Sink& to) {
  Bytes buffer(1U << 20U);
  std::uint64_t total = 0;
  while (const auto count = from.read(buffer)) {
    to.write(ByteView{buffer}.first(count));
    total += count;
  }
  return total;
}

std::size_t read_fully(Source& from, MutableBytes buffer) {
  std::size_t have = 0;
  while (have < buffer.size()) {
    const auto count = from.read(buffer.subspan(have));
    if (count == 0) break;
    have += count;
  }
  return have;
}

}  // namespace capsule
