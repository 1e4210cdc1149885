#include "index_source.hpp"

#include "attest/trust_policy.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "resolve/resolve.hpp"

namespace download {

using namespace capsule;

Resolved resolve_uri(const index::CapsuleUri& uri, const Options& options, log::Progress& progress) {
  const auto trust = attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module),
                                        options.state.string());
  const auto answer =
      resolve::resolve({uri, options.registry, options.registries.access(), trust, options.state, progress});
  return {answer.reference(), answer.found.record.package_digest};
}

}  // namespace download
