#include <fmt/format.h>

#include <exception>
#include <map>
#include <thread>

#include "archive/image_tar.hpp"
#include "core/pushed_source.hpp"
#include "image/base_config.hpp"
#include "image/base_image.hpp"

namespace capsule::image {

struct BaseImageReader::Work {
  explicit Work(const TarballLimits& limits) : thread([this, limits] { run(limits); }) {}

  void run(const TarballLimits& limits) {
    try {
      scan = scan_tarball(pipe, limits);
    } catch (...) {
      failure = std::current_exception();
    }
    pipe.stop_reading();
  }

  PushedSource pipe;
  TarballScan scan;
  std::exception_ptr failure;
  std::thread thread;  // last: it uses the rest
};

BaseImageReader::BaseImageReader(const TarballLimits& limits) : m_work(std::make_unique<Work>(limits)) {}

BaseImageReader::~BaseImageReader() {
  if (!m_work->thread.joinable()) return;
  m_work->pipe.abandon();
  m_work->thread.join();
}

void BaseImageReader::write(ByteView bytes) {
  m_work->pipe.write(bytes);
}

BaseImage BaseImageReader::finish(std::string_view architecture) {
  if (m_work->thread.joinable()) {
    m_work->pipe.finish();
    m_work->thread.join();
  }
  if (m_work->failure) {
    with_trace("capsule.tarball", [&] { std::rethrow_exception(m_work->failure); });
  }
  return base_image_of(m_work->scan, architecture);
}

void copy_base_layers(Source& tarball, const BaseImage& image,
                      const std::function<bool(const oci::Descriptor&)>& wanted,
                      const std::function<void(const oci::Descriptor&, Source&)>& take) {
  std::map<std::string, oci::Descriptor> missing;
  for (const auto& layer : image.layers) {
    if (wanted(layer.descriptor)) missing.emplace(layer.entry, layer.descriptor);
  }
  if (missing.empty()) return;
  if (image.form == BaseImage::Form::file_system) {
    const auto& layer = image.layers.front();
    if (layer.descriptor.digest != layer.diff_id) return take(layer.descriptor, tarball);
    archive::Decompressed plain{tarball};
    return take(layer.descriptor, plain);
  }
  archive::Decompressed plain{tarball};
  archive::ImageTar entries{plain};
  archive::ImageTarEntry entry;
  while (!missing.empty() && entries.next(entry)) {
    const auto layer = missing.find(entry.path);
    if (layer == missing.end() || entry.kind != archive::ImageTarEntry::Kind::file) continue;
    take(layer->second, entries.content());
    missing.erase(layer);
  }
  if (!missing.empty()) refuse_base(fmt::format("the layer {} is gone", missing.begin()->second.digest.text()));
}

}  // namespace capsule::image
