#include "image/version_blobs.hpp"

#include <algorithm>

#include "image/segment_content.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

namespace {

/// Counts the bytes that a store really reads.
class WatchedSource final : public Source {
 public:
  WatchedSource(Source& next, log::Progress& progress) : m_next(next), m_progress(progress) {}
  std::size_t read(MutableBytes buffer) override {
    const auto count = m_next.read(buffer);
    m_progress.advance(count);
    return count;
  }

 private:
  Source& m_next;
  log::Progress& m_progress;
};

oci::Descriptor layer_of(const Segment& segment) {
  return {std::string{oci::media_type::layer_gzip}, segment.digest.value(), segment.size, {}, {}, {}};
}

}  // namespace

oci::BlobContent segment_content(CapsuleInput& input, std::mutex& opening, const oci::Descriptor& blob,
                                 std::uint64_t start) {
  return {blob.digest, blob.size, [&input, &opening, start, size = blob.size](std::uint64_t offset) {
            const std::lock_guard lock{opening};
            return input.open_part(start + offset, size - offset);
          }};
}

VersionBlobs::VersionBlobs(CapsuleInput& input, const PackageFacts& facts, const PublishedForm& form, oci::Store& store,
                           log::Progress& sending)
    : m_input(input), m_facts(facts), m_form(form), m_store(store), m_sending(sending) {
  m_sending.begin("publishing", total_bytes());
}

std::uint64_t VersionBlobs::total_bytes() const {
  auto out = m_form.package_config.descriptor.size + m_form.image_config.descriptor.size;
  for (const auto& segment : m_facts.segments) out += segment.size;
  for (const auto& layer : m_facts.base.layers) out += layer.descriptor.size;
  return out;
}

void VersionBlobs::send_beside(oci::Transfers& segments) {
  for (const auto* config : {&m_form.package_config, &m_form.image_config})
    segments.add(oci::text_content(config->bytes));
  for (const auto& layer : m_facts.base.layers) look_for(layer.descriptor);
  put_base_layers();
}

void VersionBlobs::put(const oci::Transfers* sent, unsigned at_once) {
  if (sent != nullptr) take(*sent);
  find_missing();
  put_segments(at_once);
  put_base_layers();
  for (const auto* config : {&m_form.package_config, &m_form.image_config}) {
    ViewSource content{as_bytes(config->bytes)};
    put_one(config->descriptor, content);
  }
  m_sending.end();
}

/// What was sent already belongs to the result.
void VersionBlobs::take(const oci::Transfers& transfers) {
  m_blobs += transfers.blobs();
  m_bytes += transfers.bytes();
  m_there.insert(transfers.brought().begin(), transfers.brought().end());
}

void VersionBlobs::find_missing() {
  for (const auto& segment : m_facts.segments) look_for(layer_of(segment));
  for (const auto& layer : m_facts.base.layers) look_for(layer.descriptor);
  for (const auto* config : {&m_form.package_config, &m_form.image_config}) look_for(config->descriptor);
}

void VersionBlobs::look_for(const oci::Descriptor& blob) {
  if (m_there.contains(blob.digest) || m_missing.contains(blob.digest)) return;
  if (!m_store.holds(blob.digest, blob.size)) {
    m_missing.insert(blob.digest);
    return;
  }
  m_there.insert(blob.digest);
  m_sending.advance(blob.size);
}

void VersionBlobs::put_segments(unsigned at_once) {
  oci::Transfers transfers{m_store, at_once};
  for (const auto& segment : m_facts.segments) {
    const auto layer = layer_of(segment);
    if (m_missing.erase(layer.digest) != 0) transfers.add(segment_content(m_input, m_opening, layer, segment.offset));
  }
  transfers.show(m_sending);
  transfers.finish();
  take(transfers);
}

void VersionBlobs::put_base_layers() {
  const auto& facts = m_facts;
  const auto is_missing = [&](const oci::Descriptor& layer) { return m_missing.contains(layer.digest); };
  const auto tarball = std::find_if(facts.segments.begin(), facts.segments.end(),
                                    [](const Segment& segment) { return segment.role == Segment::Role::tarball; });
  const bool any = std::any_of(facts.base.layers.begin(), facts.base.layers.end(),
                               [&](const auto& layer) { return is_missing(layer.descriptor); });
  if (tarball == facts.segments.end() || !any) return;
  SegmentContent content{m_input.open_part(tarball->offset, tarball->size), tarball->tar_size, m_facts.tarball_size};
  copy_base_layers(content, facts.base, is_missing,
                   [&](const oci::Descriptor& layer, Source& source) { put_one(layer, source); });
}

void VersionBlobs::put_one(const oci::Descriptor& blob, Source& content) {
  if (m_missing.erase(blob.digest) == 0) return;
  WatchedSource watched{content, m_sending};
  m_store.put_blob(blob.digest, blob.size, watched);
  m_there.insert(blob.digest);
  ++m_blobs;
  m_bytes += blob.size;
}

}  // namespace capsule::image
