#include "replay/unpacked.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace capsule::replay {

namespace {

/// Unpacks, and keeps the files that the proof needs, in one pass.
class Both final : public PackageObserver {
 public:
  Both(PackageObserver& first, PackageObserver& second) : m_first(first), m_second(second) {}
  void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) override {
    m_first.begin_file(path, size, executable);
    m_second.begin_file(path, size, executable);
  }
  void file_bytes(ByteView bytes) override {
    m_first.file_bytes(bytes);
    m_second.file_bytes(bytes);
  }
  void end_file() override {
    m_first.end_file();
    m_second.end_file();
  }

 private:
  PackageObserver& m_first;
  PackageObserver& m_second;
};

fs::Path made(const fs::Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  return folder;
}

/// The capsule's own user must be able to go through, not to look around.
const fs::Path& passable(const fs::Path& folder) {
  if (::chmod(folder.c_str(), 0711) != 0) fs::throw_errno("change the mode of", folder, errno);
  return folder;
}

}  // namespace

Unpacked unpack(image::CapsuleInput& input, const attest::TrustPolicy& trust, const fs::Path& parent,
                log::Progress& progress) {
  auto temporary = std::make_unique<fs::TemporaryFolder>(made(parent));
  auto extractor = std::make_unique<Extractor>(passable(temporary->path()));
  passable(extractor->root().parent_path());
  proof::FactsCollector collector;
  Both both{*extractor, collector};
  progress.begin("verifying", input.size());
  auto capsule = image::verify_input(input, trust, {.observer = &both, .progress = &progress});
  progress.end();
  auto facts = collector.finish(capsule);
  return {std::move(capsule), std::move(facts), std::move(temporary), std::move(extractor)};
}

}  // namespace capsule::replay
