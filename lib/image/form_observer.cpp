#include "image/form_observer.hpp"

namespace capsule::image {

void FormObserver::begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) {
  m_now = Now::other;
  if (path.text() == "capsule.json") {
    m_now = Now::manifest;
  } else if (path.text() == "capsule.tarball") {
    m_now = Now::tarball;
    m_tarball_size = size;
    m_reader = std::make_unique<BaseImageReader>();
  } else if (path.text() == m_entrypoint) {
    m_executable = executable;
  }
}

void FormObserver::file_bytes(ByteView bytes) {
  if (m_now == Now::manifest) m_manifest_text += as_text(bytes);
  if (m_now == Now::tarball) m_reader->write(bytes);
}

void FormObserver::end_file() {
  // In a canonical package the manifest comes before every file that it speaks of.
  if (m_now == Now::manifest) m_entrypoint = parse_manifest(m_manifest_text).entrypoint;
  m_now = Now::other;
}

PackageFacts FormObserver::facts(const Manifest& manifest, const Digest& capsule, const Digest& package,
                                 std::vector<Segment> segments) {
  return {manifest, capsule, package, std::move(segments), start(manifest), base(manifest), m_tarball_size};
}

BaseImage FormObserver::base(const Manifest& manifest) {
  return m_reader ? m_reader->finish(manifest.architecture()) : BaseImage{};
}

Start FormObserver::start(const Manifest& manifest) const {
  return start_of(manifest.entrypoint, m_executable);
}

}  // namespace capsule::image
