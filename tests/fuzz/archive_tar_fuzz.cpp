// A tar stream in pieces of any size: the handler sees only what a capsule can hold, whatever comes.
#include <cstdlib>
#include <optional>

#include "archive/tar_reader.hpp"
#include "core/error.hpp"
#include "sealed_tar.hpp"

namespace {

/// Ends the process if the reader breaks a promise.
class Promises final : public capsule::archive::TarHandler {
 public:
  void begin_entry(const capsule::archive::TarEntry& entry) override {
    if (m_rest) std::abort();
    m_rest = entry.size;
    const auto again = capsule::fs::SafePath::parse(entry.path.text());
    if (again != entry.path) std::abort();
  }
  void entry_bytes(capsule::ByteView bytes) override {
    if (!m_rest || bytes.size() > *m_rest) std::abort();
    *m_rest -= bytes.size();
  }
  void end_entry() override {
    if (m_rest != 0U) std::abort();
    m_rest.reset();
  }
  void folder(const capsule::fs::SafePath&) override {
    if (m_rest) std::abort();
  }

 private:
  std::optional<std::uint64_t> m_rest;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tar = seal_tar({reinterpret_cast<const std::byte*>(data), size});
  capsule::ByteView rest = tar;
  Promises promises;
  capsule::archive::TarReader reader{promises};
  try {
    for (std::size_t step = 1; !rest.empty(); step = step * 3 % 1021) {
      const auto piece = rest.first(std::min(step, rest.size()));
      reader.feed(piece);
      rest = rest.subspan(piece.size());
    }
    reader.finish();
  } catch (const capsule::Error&) {  // refused
  }
  return 0;
}
