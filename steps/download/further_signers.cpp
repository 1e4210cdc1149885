#include "further_signers.hpp"

#include <algorithm>

#include "attest/trust_policy.hpp"
#include "capsule/package_head.hpp"
#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "image/signature_files.hpp"
#include "log/log.hpp"

namespace download {

using namespace capsule;

namespace {

bool is_signed_by(const PackageHead& head, const std::vector<crypto::PublicKey>& keys) {
  return head.signature && std::any_of(keys.begin(), keys.end(), [&](const crypto::PublicKey& key) {
           return key.verify(crypto::Message{as_bytes(head.checksums_text)}, *head.signature);
         });
}

}  // namespace

std::vector<std::string> wanted_bundles(const fs::Path& package, const Options& options) {
  std::vector<std::string> out;
  try {
    const auto trust = attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module),
                                          options.state.string());
    fs::FileSource source{package};
    const auto head = read_package_head(source);
    const auto signers = trust.signers(attest::Role::capsule, head.manifest.name);
    if (signers.threshold < 2 && is_signed_by(head, signers.keys)) return out;
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
