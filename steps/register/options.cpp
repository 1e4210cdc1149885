#include "options.hpp"

#include "step/passphrase.hpp"

namespace register_step {

using namespace capsule;

namespace {

void add_shared(CLI::App& app, Options& options) {
  app.add_option(
         "--trust", options.trust,
         "Trust policy with the roles capsule, proof, log and index [STATE/configmaps/capsule-trust/trust.yaml]")
      ->type_name("FILE");
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("reference", options.reference,
                 "The published capsule: REGISTRY/<name>@sha256:… of its version index, REGISTRY as publish takes it")
      ->type_name("REFERENCE");
  app.add_option("--proof-bundle", options.proof_bundle,
                 "Digest of the proof bundle that generate-proof attached [none: only for a capsule whose policy "
                 "requires no proof]")
      ->type_name("DIGEST");
  app.add_option("--receipts", options.receipts, "Digests of the anchor receipts, separated by commas")
      ->delimiter(',')
      ->type_name("DIGEST,…");
  app.add_option(
         "--key", options.key,
         "Private key (PEM, or pkcs11: on a token) that signs the index [STATE/secrets/capsule-key-index/key.pem]")
      ->type_name("FILE");
  app.add_option("--target", options.target, "Where it is deployed: its ProofedDeployment object is told of the proof")
      ->capture_default_str()
      ->type_name("this-machine|kubernetes[:NAMESPACE]");
  app.add_option("--kubeconfig", options.kubeconfig, "How to reach the cluster [as kubectl finds it, or our own pod's]")
      ->type_name("FILE");
  app.add_option("--context", options.context, "Context of the kubeconfig [its current one]")->type_name("NAME");
  step::add_passphrase_option(app, options.passphrase_file);
  step::add_pkcs11_module_option(app, options.pkcs11_module);
  add_shared(app, options);

  auto* resolve =
      app.add_subcommand("resolve", "Find what a capsule:// URI names; with ?proof=true only if its proof verifies");
  resolve->add_option("uri", options.uri, "capsule://<name>:<version>[?proof=true], version may be latest")
      ->required()
      ->type_name("URI");
  resolve
      ->add_option("--registry", options.registry,
                   "Registry to look in, oci://HOST[:PORT]/BASE or oci-layout:DIR [the URI's own]")
      ->type_name("REGISTRY");
  add_shared(*resolve, options);

  auto* list = app.add_subcommand("list", "List the names of a registry, or the versions of one name");
  list->add_option("name,--name", options.name, "Only this name, with its versions and their digests")
      ->type_name("NAME");
  list->add_option("--registry", options.registry, "Registry to look in, oci://HOST[:PORT]/BASE or oci-layout:DIR")
      ->required()
      ->type_name("REGISTRY");
  add_shared(*list, options);
  app.require_subcommand(0, 1);
}

const step::Manual& manual() {
  static const step::Manual instance{
      {{"uri", "register: the URI under which the capsule is found"},
       {"index-sequence", "sequence number of the signed head of the index"},
       {"record-digest", "digest of the signed record"},
       {"name", "resolve: the capsule's name"},
       {"version", "resolve: its version"},
       {"reference", "resolve: what to deploy or download"},
       {"capsule-digest", "resolve: SHA-256 of its checksum list"},
       {"package-digest", "resolve: SHA-256 of its package"},
       {"index-digest", "resolve: digest of its OCI version index"},
       {"proof-id", "resolve: of its proof, empty without one"},
       {"proof-digest", "resolve: digest of the proof bundle, empty without one"},
       {"anchors", "resolve: chains that hold the proof's digest, separated by commas"}},
      "capsule-register resolve 'capsule://m2n2-metal:0.1.0?proof=true' --registry "
      "oci-layout:/srv/capsules --trust trust.yaml",
      {10, 11, 12, 13, 14, 40, 42},
      {{"resolve",
        "capsule-register resolve 'capsule://m2n2-metal:0.1.0?proof=true' --registry oci-layout:/srv/capsules"},
       {"list", "capsule-register list m2n2-metal --registry oci-layout:/srv/capsules"}}};
  return instance;
}

}  // namespace register_step
