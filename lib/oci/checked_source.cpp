#include "oci/checked_source.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace capsule::oci {

CheckedSource::CheckedSource(Source& content, Digest digest, std::uint64_t size)
    : m_content(content),
      m_digest(std::move(digest)),
      m_size(size),
      m_hasher(m_digest.algorithm() == "sha512" ? crypto::HashAlgorithm::sha512 : crypto::HashAlgorithm::sha256) {}

void CheckedSource::fail(std::string_view what) const {
  throw Error{ErrorKind::verification_failed, fmt::format("the blob {} {}", m_digest.text(), what)};
}

std::size_t CheckedSource::read(MutableBytes buffer) {
  if (m_at_end || buffer.empty()) return 0;
  const auto count = m_content.read(buffer);
  if (count == 0) {
    check_end();
    return 0;
  }
  if (count > m_size - m_count) fail(fmt::format("has more than its {} bytes", m_size));
  m_hasher.update(ByteView{buffer.data(), count});
  m_count += count;
  if (m_count == m_size) check_end();
  return count;
}

void CheckedSource::check_end() {
  std::byte more{};
  if (m_count == m_size && m_content.read({&more, 1}) != 0) fail(fmt::format("has more than its {} bytes", m_size));
  if (m_count != m_size) fail(fmt::format("has {} bytes, {} are promised", m_count, m_size));
  if (m_hasher.finish() != m_digest) fail("has another content");
  m_at_end = true;
}

}  // namespace capsule::oci
