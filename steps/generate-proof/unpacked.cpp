#include "unpacked.hpp"

#include "image/capsule_input.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "proof/published.hpp"

namespace generate_proof {

using namespace capsule;

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

Unpacked unpack(oci::Store& store, const Digest& version_index, const attest::TrustPolicy& trust, const fs::Path& state,
                log::Progress& progress) {
  auto published = image::read_published(store, version_index);
  auto temporary = std::make_unique<fs::TemporaryFolder>(made(state / "proofs"));
  auto extractor = std::make_unique<Extractor>(passable(temporary->path()));
  passable(extractor->root().parent_path());
  proof::FactsCollector collector;
  Both both{*extractor, collector};
  const auto input = image::published_package(store, published);
  progress.begin("verifying", published.size);
  auto capsule = image::verify_input(*input, trust, {.observer = &both, .progress = &progress});
  progress.end();
  auto facts = collector.finish(capsule);
  auto hook = proof::hook_file(capsule, "generate_proof.py").value_or("");
  return {std::move(published), std::move(capsule),   std::move(facts),
          std::move(hook),      std::move(temporary), std::move(extractor)};
}

}  // namespace generate_proof
