// A whole package: the input is a tar stream, which is wrapped as members of ours, of sizes that the first byte
// chooses. Whatever it is, it is refused with one of two kinds of error, or its files are those of its checksum list.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "archive/gzip_member.hpp"
#include "capsule/checked_package.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "sealed_tar.hpp"

namespace {

using namespace capsule;  // NOLINT

Bytes wrap(ByteView tar, std::size_t step) {
  Bytes out;
  while (!tar.empty()) {
    const auto piece = tar.first(std::min(step, tar.size()));
    const auto member = archive::encode_stored(piece);
    out.insert(out.end(), member.begin(), member.end());
    tar = tar.subspan(piece.size());
  }
  return out;
}

class Files final : public PackageObserver {
 public:
  void begin_file(const fs::SafePath& path, std::uint64_t, bool) override { m_path = path.text(); }
  void file_bytes(ByteView bytes) override { m_hasher.update(bytes); }
  void end_file() override {
    if (!seen.emplace(m_path, m_hasher.finish()).second) std::abort();
  }
  std::set<std::pair<std::string, Digest>> seen;

 private:
  std::string m_path;
  crypto::Hasher m_hasher;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto tar = seal_tar({reinterpret_cast<const std::byte*>(data + 1), size - 1});
  const auto package = wrap(tar, std::size_t{data[0]} * 64 + 512);
  try {
    Files files;
    ViewSource source{package};
    CheckOptions options;
    options.observer = &files;
    options.segment_digests = SegmentDigests::yes;
    const auto checked = check_package(source, options);
    for (const auto& line : checked.head.files.lines()) {
      if (!files.seen.contains({line.path.text(), line.digest})) std::abort();
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input && error.kind() != ErrorKind::verification_failed) std::abort();
  }
  return 0;
}
