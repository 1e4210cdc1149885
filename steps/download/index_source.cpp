#include "index_source.hpp"

#include "attest/trust_policy.hpp"
#include "resolve/resolve.hpp"

namespace download {

using namespace capsule;

Resolved resolve_uri(const index::CapsuleUri& uri, const Options& options, log::Progress& progress) {
  const auto trust = attest::find_trust(options.trust, options.key, options.state.string());
  const auto answer =
      resolve::resolve({uri, options.registry, options.registries.access(), trust, options.state, progress});
  return {answer.reference(), answer.found.record.package_digest};
}

}  // namespace download
