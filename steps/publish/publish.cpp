#include "publish.hpp"

#include <optional>
#include <vector>

#include "ahead.hpp"
#include "capsule/canonical_package.hpp"
#include "core/error.hpp"
#include "fs/temporary.hpp"
#include "hints.hpp"
#include "image/index_signatures.hpp"
#include "image/published_form.hpp"
#include "image/verified_form.hpp"
#include "image/version_blobs.hpp"
#include "log/log.hpp"
#include "log/progress_share.hpp"
#include "oci/store.hpp"
#include "taken.hpp"
#include "vouched.hpp"

namespace publish {

using namespace capsule;

namespace {

image::VerifiedForm check(image::CapsuleInput& input, const Request& request, log::ProgressShare progress,
                          VerifyOptions options = {.segment_digests = SegmentDigests::yes}) {
  progress.begin("verifying", input.size());
  options.progress = &progress;
  auto out = image::verify_form(input, request.policy, options);
  progress.end();
  return out;
}

/// What was signed of the segments is not hashed again.
image::VerifiedForm check(const Request& request, const std::optional<Hints>& hints, std::uint64_t share,
                          unsigned workers) {
  if (hints && is_vouched(*hints, request.input, request.policy)) {
    auto out = check(request.input, request, {request.progress, share}, {.workers = workers});
    if (!out.facts || adopt(*hints, out)) return out;
    share = 0;
  }
  return check(request.input, request, {request.progress, share},
               {.segment_digests = SegmentDigests::yes, .workers = workers});
}

/// One verified version on its way into its repository.
class Publisher {
 public:
  /// All must outlive it; `sending` is its share of what is shown.
  Publisher(const Request& request, image::CapsuleInput& input, const image::VerifiedForm& checked,
            AheadOfVerification& ahead, log::Progress& sending)
      : m_request(request),
        m_input(input),
        m_capsule(checked.capsule),
        m_facts(checked.facts.value()),
        m_ahead(ahead),
        m_sending(sending),
        m_form(image::published_form(m_facts)),
        m_store(open()) {}

  Published run() {
    image::VersionBlobs blobs{m_input, m_facts, m_form, *m_store, m_sending};
    const auto* sent = send_ahead(blobs);
    const auto& version = m_capsule.manifest().version;
    auto there = m_store->resolve(version);
    const bool before = there.has_value();
    if (!is_ours(there)) return settle(*there);
    const auto missing = missing_manifests();
    blobs.put(sent, oci::transfers_at_once(m_request.registry));
    Published out = named();
    out.blobs_written = blobs.blobs();
    out.bytes_written = blobs.bytes();
    m_store->exclusively([&] {
      there = m_store->resolve(version);
      if (is_ours(there)) put_version(there, missing, out);
    });
    if (!is_ours(there)) return settle(*there);  // another publisher was faster
    out.already_published = before;
    if (before) return out;
    m_store->settle();
    there = m_store->resolve(version);
    return is_ours(there) ? out : settle(*there);  // another publisher put his at the same moment
  }

 private:
  using Documents = std::vector<const image::Document*>;

  [[nodiscard]] std::shared_ptr<oci::Store> open() const {
    const auto& name = m_capsule.manifest().name;
    if (auto known = m_ahead.store(name)) return known;
    return oci::open_store(m_request.registry, name, oci::Create::yes);
  }

  /// What can go while segments are on their way: all but manifests.
  const oci::Transfers* send_ahead(image::VersionBlobs& blobs) {
    auto* sending = m_ahead.transfers();
    if (sending == nullptr) return nullptr;
    blobs.send_beside(*sending);
    gather_signatures();
    const auto add = [&](std::string_view text) { sending->add(oci::text_content(text), oci::Transfers::Count::no); };
    if (!m_signatures->all().empty()) add("{}");  // the config of what is attached
    for (const auto& signature : m_signatures->all()) add(signature.bundle);
    return m_ahead.finish(m_sending);
  }

  /// Nothing there yet, or the same bytes.
  [[nodiscard]] bool is_ours(const std::optional<oci::Descriptor>& there) const {
    return !there || there->digest == m_form.index.descriptor.digest;
  }

  /// What was published, with nothing written yet.
  [[nodiscard]] Published named() const {
    const auto& capsule = m_capsule;
    return {capsule.manifest().name,
            capsule.manifest().version,
            capsule.capsule_digest(),
            capsule.package_digest(),
            m_form.index.descriptor.digest,
            m_form.package_manifest.descriptor.digest,
            m_form.image_manifest.descriptor.digest};
  }

  Published settle(const oci::Descriptor& there) { return settle_with(there, *m_store, m_request.policy, named()); }

  [[nodiscard]] Documents missing_manifests() {
    Documents out;
    for (const auto* document : {&m_form.package_manifest, &m_form.image_manifest, &m_form.index}) {
      const auto& descriptor = document->descriptor;
      if (!m_store->holds_manifest(descriptor.digest, descriptor.size)) out.push_back(document);
    }
    return out;
  }

  /// The tag comes last: whoever finds it finds all of the version, its signatures too. They are attached to the index
  /// while it has no tag yet; it is put before them, for a registry may want to see what they are about.
  void put_version(std::optional<oci::Descriptor>& there, const Documents& missing, Published& out) {
    for (const auto* document : missing) {
      put_manifest(*document, std::nullopt);
      ++out.blobs_written;
      out.bytes_written += document->descriptor.size;
    }
    gather_signatures();
    out.signatures = m_signatures->attach(*m_store);
    if (there && missing.empty()) return;
    const auto& version = m_capsule.manifest().version;
    there = m_store->resolve(version);  // what is attached takes its time, and a registry locks nothing meanwhile
    if (is_ours(there)) put_manifest(m_form.index, version);
  }

  void put_manifest(const image::Document& document, std::optional<std::string_view> tag) {
    m_store->put_manifest(document.descriptor.media_type, document.bytes, tag);
  }

  void gather_signatures() {
    if (m_signatures) return;
    m_signatures.emplace(m_input, m_request.policy, m_form.index.descriptor, m_capsule.manifest().name);
  }

  const Request& m_request;
  image::CapsuleInput& m_input;
  const VerifiedCapsule& m_capsule;
  const image::PackageFacts& m_facts;
  AheadOfVerification& m_ahead;
  log::Progress& m_sending;
  image::PublishedForm m_form;
  std::shared_ptr<oci::Store> m_store;
  std::optional<image::IndexSignatures> m_signatures;
};

/// A package of another tool: its canonical form, which is what `share` of the whole is left for.
Published publish_canonical(const Request& request, const VerifiedCapsule& capsule, AheadOfVerification& ahead,
                            std::uint64_t share) {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto path = folder.path() / package_file_name(capsule.manifest());
  log::ProgressShare writing{request.progress, share / 3};
  (void)write_canonical(*request.input.open(), capsule.capsule_digest(), path, {.progress = &writing});
  const auto canonical = image::package_file(path);
  const auto again = check(*canonical, request, {request.progress, share / 3});
  if (!again.facts) throw Error{ErrorKind::invalid_input, "the package has no canonical form"};
  log::ProgressShare sending{request.progress, share / 3};
  auto done = Publisher{request, *canonical, again, ahead, sending}.run();
  log::info("another tool made this package: it is published in its canonical form, the signature unchanged");
  return done;
}

}  // namespace

Published publish(const Request& request) {
  const auto size = request.input.size();  // is read once, and sent once
  request.progress.begin("publishing", 2 * size);
  const auto hints = read_hints(request.input);
  AheadOfVerification ahead{request, hints};
  std::optional<image::VerifiedForm> checked;
  ahead.during([&] { checked.emplace(check(request, hints, size, ahead.workers_left())); });
  log::ProgressShare sending{request.progress, size};
  auto done = checked->facts ? Publisher{request, request.input, *checked, ahead, sending}.run()
                             : publish_canonical(request, checked->capsule, ahead, size);
  request.progress.end();
  return done;
}

}  // namespace publish
