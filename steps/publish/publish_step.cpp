#include "publish_step.hpp"

#include <fmt/format.h>

#include "crypto/pkcs11_uri.hpp"
#include "publish.hpp"

namespace publish {

using namespace capsule;

namespace {

void report(const Published& done, const oci::Reference& reference, step::Context& step) {
  step.output("reference", reference.text());
  step.output("index-digest", done.index.text());
  step.output("package-manifest-digest", done.package_manifest.text());
  step.output("image-digest", done.image_manifest.text());
  step.result("name", done.name);
  step.result("version", done.version);
  step.result("capsule_digest", done.capsule_digest.text());
  step.result("package_digest", done.package_digest.text());
  step.result("already_published", done.already_published);
  step.result("blobs_written", static_cast<std::uint64_t>(done.blobs_written));
  step.result("bytes_written", done.bytes_written);
  step.result("signature", name_of(done.signatures.state));
  step.result("signed_by", json::Array{done.signatures.signed_by.begin(), done.signatures.signed_by.end()});
  const auto signatures =
      done.signatures.signed_by.size() < 2
          ? std::string{name_of(done.signatures.state)}
          : fmt::format("{} ({} keys)", name_of(done.signatures.state), done.signatures.signed_by.size());
  step.summary(fmt::format("{} {} {}\n  reference  {}\n  image      {}\n  written    {} in {} blobs\n  signature  {}\n",
                           done.name, done.version, done.already_published ? "is already published" : "is published",
                           reference.text(), done.image_manifest.text(), human_size(done.bytes_written),
                           done.blobs_written, signatures));
}

/// The repository that a capsule comes from, where that is one of the very registry it goes to.
std::optional<std::string> source_within(const oci::RegistryLocation& registry, std::string_view capsule) {
  if (registry.is_layout() || !oci::Reference::looks_like(capsule)) return std::nullopt;
  const auto source = oci::Reference::parse(capsule);
  if (source.registry.is_layout() || source.registry.host() != registry.host()) return std::nullopt;
  return source.registry.repository(source.name);
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("capsule", options.capsule,
                 "The package: a file, sha256:<package digest> in the store, or a reference")
      ->required()
      ->type_name("CAPSULE");
  app.add_option("--registry", options.registry,
                 "Where to: oci://HOST[:PORT]/BASE, or oci-layout:DIR, one OCI layout per name at DIR/<name>/")
      ->type_name("REGISTRY")
      ->required();
  step::add_signer_options(app, options.signers);
  app.add_option("--store", options.store, "Working store [STATE/store]")->type_name("DIR");
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
}

const step::Manual& manual() {
  static const step::Manual text{
      .outputs = {{"reference", "the version by digest, REGISTRY/<name>@sha256:<index>: what the next steps take"},
                  {"index-digest", "SHA-256 of the version index"},
                  {"package-manifest-digest", "SHA-256 of the package's manifest"},
                  {"image-digest", "SHA-256 of the runnable image's manifest"}},
      .example = "capsule-publish capsule_m2n2-metal-0.1.0.tar.gz --key my-key.pub.pem --registry oci-layout:registry",
      .exit_codes = {10, 11, 12, 13, 14, 40, 42}};
  return text;
}

void run(const Options& options, step::Context& step) {
  const auto state = options.state.empty() ? step::default_state_folder() : options.state;
  const auto access = std::make_shared<oci::Access>(*options.registries.access());
  access->uploads = (state / "uploads").string();
  const auto registry = oci::RegistryLocation::parse(options.registry, access);
  if (const auto source = source_within(registry, options.capsule)) access->mount_from.push_back(*source);
  const auto policy = attest::find_trust(
      options.signers.trust, crypto::with_module(options.signers.key, options.signers.pkcs11_module), state.string());
  const image::WorkingStore store{options.store.empty() ? state / "store" : options.store};
  const auto input = image::locate_capsule(options.capsule, store, registry.shared_access());
  const auto done = publish({*input, policy, registry, step.progress()});
  report(done, {registry, done.name, std::nullopt, done.index}, step);
}

}  // namespace publish
