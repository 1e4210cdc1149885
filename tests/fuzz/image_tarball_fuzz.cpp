// Any bytes as capsule.tarball: refused with an Error, or an image whose layers are read back with their digests.

#include <cstdlib>

#include "crypto/hash.hpp"
#include "image/base_image.hpp"

using namespace capsule;

namespace {

void read_back(ByteView bytes) {
  image::TarballLimits limits;
  limits.decompress = {.bytes = 1U << 22U, .free_bytes = 1U << 20U};
  limits.text_bytes = 1U << 18U;
  limits.entries = 10'000;
  ViewSource first{bytes};
  const auto image = image::base_image_of(image::scan_tarball(first, limits), "amd64");
  ViewSource second{bytes};
  image::copy_base_layers(
      second, image, [](const auto&) { return true; },
      [](const oci::Descriptor& layer, Source& content) {
        NullSink nowhere;
        crypto::HashingSink hashing{nowhere};
        copy(content, hashing);
        if (hashing.finish() != layer.digest || hashing.count() != layer.size) std::abort();
      });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read_back({reinterpret_cast<const std::byte*>(data), size});
  } catch (const Error&) {
  }
  return 0;
}
