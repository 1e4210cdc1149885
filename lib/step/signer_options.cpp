#include "step/signer_options.hpp"

#include "step/passphrase.hpp"

namespace capsule::step {

void add_signer_options(CLI::App& app, SignerOptions& options) {
  app.add_option("--key", options.key, "Public key (PEM, or pkcs11: on a token) that must have signed")
      ->type_name("PUB");
  add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_option("--trust", options.trust, "Trust policy: whose signature is good for which capsule")
      ->type_name("FILE")
      ->excludes("--key");
}

}  // namespace capsule::step
