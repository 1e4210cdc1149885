#include "publish.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>

#include "ahead.hpp"
#include "attest/bundle.hpp"
#include "attest/statement.hpp"
#include "capsule/canonical_package.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/temporary.hpp"
#include "image/published_form.hpp"
#include "image/published_package.hpp"
#include "image/segment_content.hpp"
#include "image/verified_form.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"
#include "transfers.hpp"

namespace publish {

using namespace capsule;

namespace {

image::VerifiedForm check(image::CapsuleInput& input, const Request& request) {
  request.progress.begin("verifying", input.size());
  auto out = image::verify_form(input, request.policy, &request.progress);
  request.progress.end();
  return out;
}

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

class Publisher {
 public:
  Publisher(const Request& request, image::CapsuleInput& input, const image::VerifiedForm& checked)
      : m_request(request),
        m_input(input),
        m_checked(checked),
        m_form(image::published_form(checked.facts.value())),
        m_store(open()) {}

  /// What else can be sent while segments are on their way: all but manifests.
  void send_beside(AheadOfVerification& ahead) {
    if (!ahead.is_sending()) return;
    for (const auto* config : {&m_form.package_config, &m_form.image_config})
      ahead.add(config->bytes, Transfers::Count::yes);
    gather_signatures();
    if (!m_signatures->empty()) ahead.add("{}", Transfers::Count::no);  // the config of what is attached
    for (const auto& signature : *m_signatures) ahead.add(signature.text, Transfers::Count::no);
    for (const auto& layer : m_checked.facts->base.layers) {
      const auto& [digest, size] = std::tie(layer.descriptor.digest, layer.descriptor.size);
      if (!m_store->holds(digest, size)) m_missing.insert(digest.text());
    }
    put_base_layers();
  }

  /// What was sent already belongs to the result.
  void count(const Transfers& transfers) {
    m_blobs += transfers.blobs();
    m_bytes += transfers.bytes();
  }

  Published run() {
    const auto& version = m_checked.capsule.manifest().version;
    auto there = m_store->resolve(version);
    const bool before = there.has_value();
    if (!is_ours(there)) return settle(*there);
    find_missing();
    put_blobs();
    auto out = result();
    m_store->exclusively([&] {
      there = m_store->resolve(version);
      if (is_ours(there)) put_version(version, there, out);
    });
    if (!is_ours(there)) return settle(*there);  // another publisher was faster
    out.already_published = before;
    if (before) return out;
    m_store->settle();
    there = m_store->resolve(version);
    return is_ours(there) ? out : settle(*there);  // another publisher put his at the same moment
  }

 private:
  [[nodiscard]] std::unique_ptr<oci::Store> open() const {
    return oci::open_store(m_request.registry, m_checked.capsule.manifest().name, oci::Create::yes);
  }

  /// Nothing there yet, or the same bytes.
  [[nodiscard]] bool is_ours(const std::optional<oci::Descriptor>& there) const {
    return !there || there->digest == m_form.index.descriptor.digest;
  }

  [[nodiscard]] Published result() const {
    const auto& capsule = m_checked.capsule;
    Published out{capsule.manifest().name,
                  capsule.manifest().version,
                  capsule.capsule_digest(),
                  capsule.package_digest(),
                  m_form.index.descriptor.digest,
                  m_form.package_manifest.descriptor.digest,
                  m_form.image_manifest.descriptor.digest};
    out.blobs_written = m_blobs;
    out.bytes_written = m_bytes;
    return out;
  }

  /// The version is taken by other bytes: the same capsule, which is fine, or a conflict.
  Published settle(const oci::Descriptor& there) {
    const auto& capsule = m_checked.capsule;
    const auto conflict = [&](std::string_view reason) {
      return Error{ErrorKind::conflict,
                   fmt::format("{} {} is published already as {}, {}: a published version never changes; give the "
                               "capsule another version",
                               capsule.manifest().name, capsule.manifest().version, there.digest.text(), reason)};
    };
    try {
      const auto published = image::read_published(*m_store, there.digest);
      if (published.capsule_digest != capsule.capsule_digest()) throw conflict("with another content");
      (void)image::verify_published(*m_store, published, m_request.policy);
      Published out = result();
      out.package_digest = published.package_digest;
      out.index = there.digest;
      out.package_manifest = published.package_manifest.digest;
      out.image_manifest = published.image_manifest.digest;
      out.already_published = true;
      return out;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::conflict || retry_helps(error.kind())) throw;
      throw conflict(fmt::format("and is not to be trusted ({}): if it was damaged, publish the very package again",
                                 error.message()));
    }
  }

  /// Looks once at what the registry holds of this version: a layout reads it, so that damage is found and mended.
  void find_missing() {
    std::map<std::string, oci::Descriptor> needed;
    const auto need = [&](const oci::Descriptor& descriptor) { needed.emplace(descriptor.digest.text(), descriptor); };
    for (const auto& segment : m_checked.facts->segments) need(layer_of(segment));
    for (const auto& layer : m_checked.facts->base.layers) need(layer.descriptor);
    for (const auto* config : {&m_form.package_config, &m_form.image_config}) need(config->descriptor);
    const std::array manifests{&m_form.package_manifest, &m_form.image_manifest, &m_form.index};
    for (const auto* document : manifests) {
      const auto& [digest, size] = std::tie(document->descriptor.digest, document->descriptor.size);
      if (!m_store->holds_manifest(digest, size)) m_missing.insert(digest.text());
    }
    std::uint64_t bytes = 0;
    for (const auto& [text, descriptor] : needed) bytes += descriptor.size;
    m_request.progress.begin("looking", bytes);
    for (const auto& [text, descriptor] : needed) {
      if (!m_store->holds(descriptor.digest, descriptor.size)) m_missing.insert(text);
      m_request.progress.advance(descriptor.size);
    }
    m_request.progress.end();
  }

  void put(const oci::Descriptor& descriptor, Source& content) {
    if (m_missing.erase(descriptor.digest.text()) == 0) return;
    WatchedSource watched{content, m_request.progress};
    m_store->put_blob(descriptor.digest, descriptor.size, watched);
    ++m_blobs;
    m_bytes += descriptor.size;
  }

  void put_document(const image::Document& document) {
    ViewSource content{as_bytes(document.bytes)};
    put(document.descriptor, content);
  }

  [[nodiscard]] bool is_missing(const oci::Descriptor& descriptor) const {
    return m_missing.contains(descriptor.digest.text());
  }

  static oci::Descriptor layer_of(const Segment& segment) {
    return {std::string{oci::media_type::layer_gzip}, segment.digest.value(), segment.size, {}, {}, {}};
  }

  void put_blobs() {
    Transfers transfers{[this] { return open(); }, at_once(m_request.registry)};
    for (const auto& segment : m_checked.facts->segments) {
      const auto layer = layer_of(segment);
      if (!is_missing(layer)) continue;
      m_missing.erase(layer.digest.text());
      transfers.add(content_of(m_input, m_opening, layer, segment.offset));
    }
    transfers.show(m_request.progress);
    transfers.finish();
    count(transfers);
    m_request.progress.begin("publishing", missing_bytes());
    put_base_layers();
    put_document(m_form.package_config);
    put_document(m_form.image_config);
    m_request.progress.end();
  }

  void put_base_layers() {
    const auto& segments = m_checked.facts->segments;
    const auto found = std::find_if(segments.begin(), segments.end(),
                                    [](const Segment& segment) { return segment.role == Segment::Role::tarball; });
    if (found == segments.end() || missing_bytes() == 0) return;
    const auto& tarball = *found;
    image::SegmentContent content{m_input.open_part(tarball.offset, tarball.size), tarball.tar_size,
                                  m_checked.tarball_size};
    image::copy_base_layers(
        content, m_checked.facts->base, [&](const oci::Descriptor& layer) { return is_missing(layer); },
        [&](const oci::Descriptor& layer, Source& source) { put(layer, source); });
  }

  /// Of the base layers.
  [[nodiscard]] std::uint64_t missing_bytes() const {
    std::uint64_t out = 0;
    for (const auto& layer : m_checked.facts->base.layers) {
      if (is_missing(layer.descriptor)) out += layer.descriptor.size;
    }
    return out;
  }

  /// The tag comes last: whoever finds it finds all of the version, its signatures too. They are attached to the index
  /// while it has no tag yet; it is put before them, for a registry may want to see what they are about.
  void put_version(const std::string& version, std::optional<oci::Descriptor>& there, Published& out) {
    const bool complete = there && m_missing.empty();
    if (!complete) put_manifests();
    out.blobs_written = m_blobs;
    out.bytes_written = m_bytes;
    attach_signatures(out);
    if (complete) return;
    there = m_store->resolve(version);  // what is attached takes its time, and a registry locks nothing meanwhile
    if (is_ours(there)) put_document(m_form.index, version);
  }

  void put_manifests() {
    for (const auto* document : {&m_form.package_manifest, &m_form.image_manifest, &m_form.index}) {
      if (is_missing(document->descriptor)) {
        ++m_blobs;
        m_bytes += document->descriptor.size;
      }
    }
    for (const auto* document : {&m_form.package_manifest, &m_form.image_manifest, &m_form.index})
      put_document(*document, std::nullopt);
  }

  void put_document(const image::Document& document, std::optional<std::string_view> tag) {
    m_store->put_manifest(document.descriptor.media_type, document.bytes, tag);
  }

  /// The signatures of the index that came with the package and that the policy accepts, one for each key.
  void gather_signatures() {
    m_signatures.emplace();
    const auto keys = m_request.policy.keys(attest::Role::capsule, m_checked.capsule.manifest().name);
    for (const auto& bundle : m_input.signatures(keys)) {
      if (!bundle.about_index) continue;
      std::string text;
      std::string key;
      try {
        text = bundle.read();
        key = signer_of_index(text, keys);
      } catch (const Error& error) {
        if (retry_helps(error.kind())) throw;
        log::warning(
            "a signature bundle is left out: if its signer is to be believed, sign the package again",
            {{"bundle", bundle.where}, {"index", m_form.index.descriptor.digest.text()}, {"reason", error.message()}});
        m_has_unfit = true;
        continue;
      }
      const bool known = std::any_of(m_signatures->begin(), m_signatures->end(),
                                     [&](const IndexSignature& other) { return other.key == key; });
      if (!known) m_signatures->push_back({std::move(text), std::move(key)});
    }
  }

  void attach_signatures(Published& out) {
    if (!m_signatures) gather_signatures();
    if (m_has_unfit) out.signature = Signature::unfit;
    for (const auto& signature : *m_signatures) {
      const auto state = attach_signature(signature.text);
      if (out.signed_by.empty() || state == Signature::attached) out.signature = state;
      out.signed_by.push_back(signature.key);
    }
  }

  /// The id of the key that signed a statement about this very index, as cosign reads it.
  [[nodiscard]] std::string signer_of_index(std::string_view text, std::span<const crypto::PublicKey> keys) const {
    m_request.policy.check_revoked(crypto::sha256(text));
    (void)attest::verify_statement_about(m_form.index.descriptor.digest, text, keys, attest::signature_predicate);
    return attest::open_signature(text, keys).key.id();
  }

  Signature attach_signature(const std::string& text) {
    const auto& index = m_form.index.descriptor;
    const auto type = std::string{oci::media_type::sigstore_bundle};
    const auto before = m_store->referrers(index.digest, type).size();
    oci::attach(*m_store, index,
                {type,
                 type,
                 text,
                 {{"dev.sigstore.bundle.content", "dsse-envelope"},
                  {"dev.sigstore.bundle.predicateType", std::string{attest::signature_predicate}}}});
    return m_store->referrers(index.digest, type).size() == before ? Signature::already_there : Signature::attached;
  }

  struct IndexSignature {
    std::string text;  ///< of the bundle
    std::string key;   ///< its id
  };

  const Request& m_request;
  image::CapsuleInput& m_input;
  const image::VerifiedForm& m_checked;
  image::PublishedForm m_form;
  std::unique_ptr<oci::Store> m_store;
  std::mutex m_opening;
  std::set<std::string> m_missing;  ///< digests
  std::optional<std::vector<IndexSignature>> m_signatures;
  bool m_has_unfit = false;
  std::size_t m_blobs = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace

std::string_view name_of(Signature signature) noexcept {
  switch (signature) {
    case Signature::attached:
      return "attached";
    case Signature::already_there:
      return "already there";
    case Signature::absent:
      return "absent";
    case Signature::unfit:
      break;
  }
  return "unfit";
}

Published publish(const Request& request) {
  AheadOfVerification ahead{request};
  std::optional<image::VerifiedForm> verified;
  ahead.during([&] { verified = check(request.input, request); });
  const auto& checked = *verified;
  if (checked.facts) {
    Publisher publisher{request, request.input, checked};
    publisher.send_beside(ahead);
    if (const auto* sent = ahead.finish(request.progress)) publisher.count(*sent);
    return publisher.run();
  }
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto path = folder.path() / package_file_name(checked.capsule.manifest());
  (void)write_canonical(*request.input.open(), checked.capsule.capsule_digest(), path, {.progress = &request.progress});
  const auto canonical = image::package_file(path);
  const auto again = check(*canonical, request);
  if (!again.facts) throw Error{ErrorKind::invalid_input, "the package has no canonical form"};
  auto done = Publisher{request, *canonical, again}.run();
  log::info("another tool made this package: it is published in its canonical form, the signature unchanged");
  return done;
}

}  // namespace publish
