#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capsule/manifest.hpp"
#include "capsule/verified_capsule.hpp"
#include "image/base_image.hpp"
#include "image/published_form.hpp"

namespace capsule::image {

/// Gathers, while a canonical package goes by, what its OCI form needs beside the segments: the base image in
/// capsule.tarball (read in a thread of its own) and how the entrypoint starts. Both are to be asked for only after the
/// package has been verified.
class FormObserver final : public PackageObserver {
 public:
  void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) override;
  void file_bytes(ByteView bytes) override;
  void end_file() override;

  /// All that the package's OCI form is made of. Errors of base() and start().
  [[nodiscard]] PackageFacts facts(const Manifest& manifest, const Digest& capsule, const Digest& package,
                                   std::vector<Segment> segments);
  /// Errors of base_image_of; without capsule.tarball, an image of no layers.
  [[nodiscard]] BaseImage base(const Manifest& manifest);
  /// Error invalid_input for an entrypoint that cannot be started.
  [[nodiscard]] Start start(const Manifest& manifest) const;

 private:
  enum class Now { other, manifest, tarball };
  Now m_now = Now::other;
  std::string m_manifest_text;
  std::string m_entrypoint;
  bool m_executable = false;
  std::uint64_t m_tarball_size = 0;
  std::unique_ptr<BaseImageReader> m_reader;
};

}  // namespace capsule::image
