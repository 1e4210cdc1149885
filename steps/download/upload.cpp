#include "upload.hpp"

#include <fmt/format.h>

#include "capsule/canonical_package.hpp"
#include "core/error.hpp"
#include "fs/temporary.hpp"
#include "image/checked_form.hpp"
#include "image/index_signatures.hpp"
#include "image/version_blobs.hpp"
#include "log/log.hpp"
#include "log/progress_share.hpp"
#include "oci/store.hpp"

namespace download {

using namespace capsule;

namespace {

image::CheckedForm check(image::CapsuleInput& input, log::ProgressShare progress) {
  progress.begin("checking", input.size());
  auto out = image::check_form(*input.open(), {.progress = &progress});
  progress.end();
  return out;
}

/// The signatures that the policy accepts: others are not put beside a version that may be a good one, where they would
/// stand in the way of those that count.
void attach_signatures(const UploadRequest& request, image::CapsuleInput& input, const oci::Descriptor& index,
                       const std::string& name, oci::Store& store) {
  const auto policy = request.trust();
  if (!policy) return;
  std::optional<image::IndexSignatures> signatures;
  try {
    signatures.emplace(input, *policy, index, name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    // That the policy names nobody for this capsule is for verify to say: it does.
    return log::warning("no signature of the version comes along", {{"reason", error.message()}});
  }
  static_cast<void>(signatures->attach(store));
}

Uploaded put(const UploadRequest& request, image::CapsuleInput& input, const image::PackageFacts& facts,
             log::ProgressShare sending) {
  const auto& name = facts.manifest.name;
  const auto form = image::published_form(facts);
  const auto& index = form.index.descriptor;
  const auto store = oci::open_store(request.registry, name, oci::Create::yes);
  const bool before = store->holds_manifest(index.digest, index.size);
  image::VersionBlobs blobs{input, facts, form, *store, sending};
  blobs.put(nullptr, oci::transfers_at_once(request.registry));
  store->exclusively([&] {
    for (const auto* document : {&form.package_manifest, &form.image_manifest, &form.index})
      store->put_manifest(document->descriptor.media_type, document->bytes, std::nullopt);
    attach_signatures(request, input, index, name, *store);
  });
  return {{request.registry, name, std::nullopt, index.digest}, facts.package_digest, blobs.bytes(), before};
}

/// A package of another tool; `share` of the whole is left for it.
Uploaded put_canonical(const UploadRequest& request, const Digest& capsule_digest, const Manifest& manifest,
                       std::uint64_t share) {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto path = folder.path() / package_file_name(manifest);
  log::ProgressShare writing{request.progress, share / 3};
  static_cast<void>(write_canonical(*request.input.open(), capsule_digest, path, {.progress = &writing}));
  const auto canonical = image::package_file(path);
  const auto again = check(*canonical, {request.progress, share / 3});
  if (!again.facts) throw Error{ErrorKind::invalid_input, "the package has no canonical form"};
  return put(request, *canonical, *again.facts, {request.progress, share / 3});
}

}  // namespace

Uploaded upload_untagged(const UploadRequest& request) {
  const auto size = request.input.size();  // is read once, and sent once
  request.progress.begin("handing over", 2 * size);
  const auto checked = check(request.input, {request.progress, size});
  const auto& got = checked.package.package_digest;
  if (request.wanted && got != *request.wanted) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the package has the digest {}, not {}", got.text(), request.wanted->text())};
  }
  auto out = checked.facts
                 ? put(request, request.input, *checked.facts, {request.progress, size})
                 : put_canonical(request, checked.package.capsule_digest, checked.package.head.manifest, size);
  request.progress.end();
  return out;
}

}  // namespace download
