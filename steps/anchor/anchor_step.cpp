#include "anchor_step.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/bundle.hpp"
#include "attest/own_key.hpp"
#include "bundle_anchoring.hpp"
#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "image/published_package.hpp"
#include "proof/bundle.hpp"
#include "step/passphrase.hpp"

namespace anchor_step {

using namespace capsule;

namespace {

/// By its digest, as register reads it: of what is attached a store lists only some.
std::string read_bundle(oci::Store& store, const Digest& wanted) {
  if (store.has_blob(wanted)) return oci::read_text(store, wanted, attest::max_bundle_bytes);
  throw Error{ErrorKind::not_found,
              fmt::format("no proof bundle {} beside this capsule: run generate-proof first", wanted.text())};
}

/// The anchors of the deployer's configuration that are wanted; an anchor that the manifest wants and the configuration
/// lacks is an error, never passed over.
Anchors choose_anchors(const Options& options, const fs::Path& state, const std::vector<std::string>& wanted,
                       const crypto::Signer* log_signer) {
  Anchors anchors;
  if (log_signer != nullptr)
    anchors.push_back(std::make_unique<anchor::LogAnchor>(options.log, options.log_name, *log_signer, state));
  if (wanted.empty()) return anchors;
  std::erase_if(anchors, [&](const auto& anchor) {
    return std::find(wanted.begin(), wanted.end(), anchor->chain()) == wanted.end();
  });
  for (const auto& chain : wanted) {
    const bool there =
        std::any_of(anchors.begin(), anchors.end(), [&](const auto& anchor) { return anchor->chain() == chain; });
    if (!there) {
      throw Error{
          ErrorKind::usage,
          fmt::format(
              "the capsule wants to be anchored to '{}', which is not configured: log:<name> is, with --log DIR "
              "--log-name <name> --log-key KEY; other kinds of chains are not there yet",
              printable(chain))};
    }
  }
  return anchors;
}

void report(const std::vector<Anchored>& anchored, step::Context& step) {
  std::string receipts;
  std::string chains;
  bool anything_new = false;
  for (const auto& entry : anchored) {
    receipts += (receipts.empty() ? "" : ",") + entry.digest.text();
    chains += (chains.empty() ? "" : ",") + entry.receipt.chain;
    anything_new = anything_new || entry.when == Anchored::When::now;
  }
  step.output("receipts", receipts);
  step.output("anchors", chains);
  step.result("changed", anything_new);
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("reference", options.reference,
                 "The published capsule: REGISTRY/<name>@sha256:… of its version index, REGISTRY as publish takes it")
      ->required()
      ->type_name("REFERENCE");
  app.add_option("--proof-bundle", options.proof_bundle,
                 "Digest of the proof bundle that generate-proof attached; without one there is nothing to anchor")
      ->type_name("DIGEST");
  app.add_option("--trust", options.trust, "Trust policy with the roles proof and log")->type_name("FILE");
  app.add_option("--log", options.log, "Folder of a transparency log (C2SP tlog-tiles); made if it is missing")
      ->type_name("DIR");
  app.add_option("--log-key", options.log_key,
                 "Ed25519 private key of that log, PEM or pkcs11: on a token [STATE/secrets/capsule-key-log/key.pem]")
      ->type_name("FILE");
  step::add_passphrase_option(app, options.passphrase_file);
  step::add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_option("--log-name", options.log_name, "Name of that log in its checkpoints and in log:<name>")
      ->capture_default_str()
      ->type_name("NAME");
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
}

const step::Manual& manual() {
  static const step::Manual instance{{{"receipts", "digests of the anchor receipts, separated by commas"},
                                      {"anchors", "the chains that hold the bundle's digest, separated by commas"}},
                                     "capsule-anchor oci-layout:/srv/capsules/m2n2-metal@sha256:… --proof-bundle "
                                     "sha256:… --log /srv/log --trust trust.yaml",
                                     {10, 11, 12, 13, 14, 40, 42}};
  return instance;
}

void run(const Options& options, step::Context& step) {
  const auto reference = oci::Reference::parse(options.reference, options.registries.access());
  if (!reference.digest)
    throw Error{ErrorKind::usage,
                "give the reference with the digest of its version index, <name>@sha256:…, so that nothing can change "
                "under it"};
  // A capsule that nothing was proved of: whether it may do without is held against its manifest by register.
  if (options.proof_bundle.empty()) return report({}, step);
  const auto bundle_digest = as_usage("--proof-bundle", [&] { return Digest::parse(options.proof_bundle); });
  const auto state = options.state.empty() ? step::default_state_folder() : options.state;
  const auto trust = attest::find_trust(options.trust, {}, state.string());
  const auto store = oci::open_store(reference.registry, reference.name);
  const auto bundle = read_bundle(*store, bundle_digest);
  const auto opened = proof::open_bundle(bundle, trust.keys(attest::Role::proof, reference.name));
  if (opened.version_index != *reference.digest) {
    throw Error{ErrorKind::verification_failed, fmt::format("the proof bundle is about the version {}, not about {}",
                                                            opened.version_index.brief(), reference.digest->brief())};
  }

  std::unique_ptr<crypto::Signer> log_signer;
  if (!options.log.empty()) {
    const auto key =
        crypto::with_module(attest::own_key(options.log_key, state, attest::Role::log), options.pkcs11_module);
    log_signer =
        crypto::open_signer(key, step::read_key_secret(key, options.passphrase_file, step::MissingFile::is_none));
  }
  const auto anchors = choose_anchors(options, state, opened.policy.anchors, log_signer.get());
  const auto subject = image::find_index(*store, reference);
  report(anchor_bundle(*store, subject, bundle_digest, anchors, trust), step);
}

}  // namespace anchor_step
