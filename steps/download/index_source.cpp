#include "index_source.hpp"

#include <fmt/format.h>

#include "attest/trust_policy.hpp"
#include "core/error.hpp"
#include "index/index.hpp"

namespace download {

using namespace capsule;

namespace {

oci::RegistryLocation registry_of(const index::CapsuleUri& uri, const Options& options) {
  const auto& place = uri.registry.empty() ? options.registry : uri.registry;
  if (place.empty()) throw Error{ErrorKind::usage, "the URI names no registry: give --registry, e.g. oci-layout:DIR"};
  return oci::RegistryLocation::parse(place);
}

}  // namespace

Resolved resolve(const index::CapsuleUri& uri, const Options& options) {
  const auto registry = registry_of(uri, options);
  if (uri.proof == index::CapsuleUri::Proof::required) {
    throw Error{ErrorKind::usage,
                fmt::format("{}: whether a proof holds is for capsule-register resolve to say; download the reference "
                            "that it prints",
                            uri.text())};
  }
  // A digest needs no index: it can stand for one content only.
  if (uri.digest) return {{registry, uri.name, {}, uri.digest}, {}};
  const auto trust = attest::find_trust(options.trust, options.key, options.state.string());
  const auto store = oci::open_store(registry, uri.name);
  index::SeenHeads seen{options.state};
  const auto record = index::Index{*store, registry.text(), uri.name, trust, &seen}.find(uri.version).record;
  if (record.yanked) throw Error{ErrorKind::not_found, fmt::format("{}:{} was withdrawn", record.name, record.version)};
  return {{registry, uri.name, {}, record.index_digest}, record.package_digest};
}

}  // namespace download
