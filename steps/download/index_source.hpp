#pragma once

#include "download.hpp"
#include "index/uri.hpp"
#include "oci/reference.hpp"

namespace download {

/// What a capsule:// URI stands for, by the signed index of its registry (`options.registry` where the URI names none):
/// a reference with the digest of the version index, and the package digest that the index promises.
struct Resolved {
  capsule::oci::Reference reference;
  std::optional<capsule::Digest> package_digest;  ///< absent where the URI names the version index itself
};
Resolved resolve(const capsule::index::CapsuleUri& uri, const Options& options);

}  // namespace download
