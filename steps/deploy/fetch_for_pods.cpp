#include "fetch_for_pods.hpp"

#include <fmt/format.h>

#include "image/capsule_input.hpp"
#include "image/published_package.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// Adds up how large the files are, unpacked.
class SizeCounter final : public PackageObserver {
 public:
  void begin_file(const fs::SafePath&, std::uint64_t size, bool) override { m_bytes += size; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return m_bytes; }

 private:
  std::uint64_t m_bytes = 0;
};

}  // namespace

FetchedForPods fetch_for_pods(const Order& order, oci::Store& store, log::Progress& progress) {
  const auto& reference = order.reference;
  SizeCounter size;
  const auto published = image::read_published(store, *reference.digest);
  const auto input = image::published_package(store, published);
  progress.begin("verifying", input->size());
  auto capsule = image::verify_input(*input, order.trust, {.observer = &size, .progress = &progress});
  progress.end();
  require_name(capsule.manifest(), reference);
  const auto& registry = reference.registry;
  cluster::CapsuleSource source{order.options.capsule_volume, reference.text(),
                                fmt::format("{}/{}@{}", registry.host(), registry.repository(reference.name),
                                            published.package_manifest.digest.text()),
                                size.bytes(), order.options.registries.insecure_registries};
  return {std::move(capsule), std::move(source)};
}

}  // namespace deploy_step
