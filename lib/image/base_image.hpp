#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "image/tarball_scan.hpp"
#include "oci/descriptor.hpp"

namespace capsule::image {

struct BaseLayer {
  oci::Descriptor descriptor;  ///< OCI media type, digest and size of what is stored
  Digest diff_id;              ///< of its tar
  std::string entry;           ///< where it stands in the tarball; empty: it is the tarball
};

/// What a capsule's image is built on: capsule.tarball as layers.
struct BaseImage {
  enum class Form { none, file_system, oci_layout, docker_archive };
  Form form = Form::none;  ///< none: the capsule has no capsule.tarball
  std::vector<BaseLayer> layers;
  std::vector<std::string> environment;  ///< `NAME=value`
  std::map<std::string, std::string> labels;
  std::string stop_signal;
};

/// Decides what a scanned tarball is and checks it: an OCI layout or a docker archive must have exactly one image for
/// linux/<architecture>, each named part must be there with its digest, size and media type, each layer must have the
/// diff_id that the config says, and be a tar that FileTree accepts. What looks like one of the two and is broken is
/// refused; anything else is a file system, one layer (xz, which no runtime reads, is stored decompressed). Errors
/// invalid_input, verification_failed (digest, diff_id). Pure.
BaseImage base_image_of(const TarballScan& scan, std::string_view architecture);

/// Scans capsule.tarball in a thread of its own while it goes by.
class BaseImageReader final : public Sink {
 public:
  explicit BaseImageReader(const TarballLimits& limits = {});
  BaseImageReader(const BaseImageReader&) = delete;
  BaseImageReader& operator=(const BaseImageReader&) = delete;
  ~BaseImageReader() override;
  void write(ByteView bytes) override;
  /// All was written: what it is. Throws what scan_tarball and base_image_of throw.
  BaseImage finish(std::string_view architecture);

 private:
  struct Work;
  std::unique_ptr<Work> m_work;
};

/// Reads the tarball again and gives the content of each layer for which `wanted` says so, once, to `take`, in the
/// order in which they stand there; `take` checks the digest.
void copy_base_layers(Source& tarball, const BaseImage& image,
                      const std::function<bool(const oci::Descriptor&)>& wanted,
                      const std::function<void(const oci::Descriptor&, Source&)>& take);

}  // namespace capsule::image
