#include "further_signers.hpp"

#include "attest/trust_policy.hpp"
#include "capsule/package_head.hpp"
#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "image/signature_files.hpp"
#include "log/log.hpp"

namespace download {

using namespace capsule;

std::vector<std::string> wanted_bundles(const fs::Path& package, const Options& options) {
  std::vector<std::string> out;
  try {
    const auto trust = attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module),
                                          options.state.string());
    fs::FileSource source{package};
    const auto name = read_package_head(source).manifest.name;
    const auto signers = trust.signers(attest::Role::capsule, name);
    if (signers.threshold < 2) return out;
    for (const auto& key : signers.keys) {
      for (const auto kind : {image::package_bundle_suffix, image::index_bundle_suffix}) {
        if (out.size() < image::max_signature_bundles) out.push_back(image::signer_suffix(key) + std::string{kind});
      }
    }
  } catch (const Error& error) {
    log::debug("no further signer is asked for", {{"reason", error.message()}});  // the package is verify's to judge
  }
  return out;
}

}  // namespace download
