#include "oci/hashed_content.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule::oci {

class HashedContent::Part final : public Source {
 public:
  Part(HashedContent& whole, std::uint64_t from, std::uint64_t size) : m_whole(whole), m_at(from), m_end(from + size) {}

  std::size_t read(MutableBytes buffer) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(m_end - m_at, buffer.size()));
    if (wanted == 0) return 0;
    const auto count = m_whole.m_source->read(buffer.first(wanted));
    if (count == 0) m_whole.fail(fmt::format("has {} bytes, {} are promised", m_at, m_whole.m_content.size));
    m_whole.take(m_at, ByteView{buffer.data(), count});
    m_at += count;
    m_whole.m_at = m_at;
    return count;
  }

 private:
  HashedContent& m_whole;
  std::uint64_t m_at;
  std::uint64_t m_end;
};

HashedContent::HashedContent(const BlobContent& content)
    : m_content(content),
      m_hasher(content.digest.algorithm() == "sha512" ? crypto::HashAlgorithm::sha512 : crypto::HashAlgorithm::sha256) {
}

void HashedContent::fail(std::string_view what) const {
  throw Error{ErrorKind::verification_failed, fmt::format("the blob {} {}", m_content.digest.text(), what)};
}

void HashedContent::take(std::uint64_t at, ByteView bytes) {
  if (m_content.check == BlobContent::Check::registry) return;
  const auto known = m_hashed - std::min(m_hashed, at);
  if (known >= bytes.size()) return;
  const auto fresh = bytes.subspan(static_cast<std::size_t>(known));
  m_hasher.update(fresh);
  m_hashed += fresh.size();
  if (m_hashed != m_content.size) return;
  if (m_hasher.finish() != m_content.digest) fail("has another content");
}

void HashedContent::go_to(std::uint64_t offset) {
  if (m_source && m_at == offset) return;
  m_source = m_content.open(offset);
  m_at = offset;
}

void HashedContent::hash_until(std::uint64_t end) {
  if (m_hashed >= end || m_content.check == BlobContent::Check::registry) return;
  go_to(m_hashed);
  Part rest{*this, m_hashed, end - m_hashed};
  NullSink nowhere;
  copy(rest, nowhere);
}

std::unique_ptr<Source> HashedContent::open(std::uint64_t from, std::uint64_t size) {
  hash_until(from);
  go_to(from);
  return std::make_unique<Part>(*this, from, size);
}

void HashedContent::check_whole() {
  hash_until(m_content.size);
  if (m_content.size == 0 && m_hasher.finish() != m_content.digest) fail("has another content");
}

}  // namespace capsule::oci
