#include "oci/spooled_blob.hpp"

#include <unistd.h>

#include <cerrno>

#include "fs/temporary.hpp"

namespace capsule::oci {

namespace {

class FromOffset final : public Source {
 public:
  FromOffset(int fd, std::uint64_t offset) : m_fd(fd), m_offset(offset) {}

  std::size_t read(MutableBytes buffer) override {
    while (true) {
      const auto count = ::pread(m_fd, buffer.data(), buffer.size(), static_cast<off_t>(m_offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fs::throw_errno("read", fs::temporary_parent(), errno);
      m_offset += static_cast<std::uint64_t>(count);
      return static_cast<std::size_t>(count);
    }
  }

 private:
  int m_fd;
  std::uint64_t m_offset;
};

}  // namespace

SpooledBlob::SpooledBlob() : m_file(fs::temporary_parent() / "capsule-blob", 0600) {}

void SpooledBlob::write(ByteView bytes) {
  m_file.write(bytes);
  m_size += bytes.size();
}

BlobContent SpooledBlob::content(Digest digest) const {
  return {std::move(digest), m_size,
          [fd = m_file.fd()](std::uint64_t offset) { return std::make_unique<FromOffset>(fd, offset); }};
}

}  // namespace capsule::oci
