#pragma once

#include "download.hpp"
#include "index/uri.hpp"
#include "oci/reference.hpp"

namespace download {

/// What a capsule:// URI stands for, by the signed index of its registry (`options.registry` where the URI names none);
/// with `?proof=true` only if package, proof and receipts verify.
struct Resolved {
  capsule::oci::Reference reference;  ///< by the digest of the version index
  capsule::Digest package_digest;     ///< what the index promises
  capsule::oci::Reference head;       ///< of that index, by the digest of the signed document
};
Resolved resolve_uri(const capsule::index::CapsuleUri& uri, const Options& options, capsule::log::Progress& progress);

}  // namespace download
