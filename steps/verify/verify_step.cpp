#include "verify_step.hpp"

#include <fmt/format.h>

#include "attest/trust_policy.hpp"
#include "capsule/verified_capsule.hpp"
#include "core/error.hpp"
#include "deploy/capability.hpp"
#include "image/capsule_input.hpp"
#include "image/working_store.hpp"

namespace verify_step {

using capsule::Error;
using capsule::ErrorKind;
namespace attest = capsule::attest;
namespace deploy = capsule::deploy;
namespace fs = capsule::fs;
namespace image = capsule::image;

namespace {

fs::Path state_of(const Options& options) {
  return options.state.empty() ? capsule::step::default_state_folder() : options.state;
}

void check_target_option(const Options& options) {
  if (!options.target.empty() && options.target != "this-machine") {
    throw Error{ErrorKind::usage,
                fmt::format("--target {}: only this-machine is there yet", capsule::printable(options.target))};
  }
}

/// Holds what the capsule needs against this machine. What it lacks is an output before it is an error, so that a
/// caller can decide to go without it.
void check_target(const Options& options, const capsule::Manifest& manifest, capsule::step::Context& step) {
  if (options.target.empty()) return;
  const auto report =
      deploy::check_capabilities(manifest, deploy::inspect_host(state_of(options)), options.allow_unmet);
  std::vector<std::string> unmet;
  for (const auto& entry : report.unmet) unmet.push_back(entry.requirement);
  step.output("unmet", fmt::format("{}", fmt::join(unmet, ",")));
  step.output("waived", fmt::format("{}", fmt::join(report.waived, ",")));
  report.require_all_met();
}

void report(const capsule::VerifiedCapsule& capsule, capsule::step::Context& step) {
  const auto& manifest = capsule.manifest();
  step.output("capsule-digest", capsule.capsule_digest().text());
  step.output("package-digest", capsule.package_digest().text());
  step.output("name", manifest.name);
  step.output("version", manifest.version);
  step.output("key-id", capsule.signed_by().id());
  step.result("canonical", capsule.is_canonical());
  step.result("size", capsule.package_size());
  step.summary(fmt::format(
      "{} {} is whole and signed by a trusted key ({}, {} files)\n  capsule  {}\n  package  {}\n"
      "  key      {}\n",
      manifest.name, manifest.version, capsule::human_size(capsule.package_size()), capsule.files().lines().size(),
      capsule.capsule_digest().text(), capsule.package_digest().text(), capsule.signed_by().id()));
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("capsule", options.capsule,
                 "A package file, sha256:<package digest> in the store, or oci-layout:DIR/<name>:<version>")
      ->required()
      ->type_name("CAPSULE");
  app.add_option("--key", options.key, "Public key (PEM) that must have signed")->type_name("PUB");
  app.add_option("--trust", options.trust, "Trust policy: whose signature is good for which capsule")
      ->type_name("FILE");
  app.add_option("--store", options.store, "Working store [STATE/store]")->type_name("DIR");
  app.add_option("--target", options.target, "Also hold what the capsule needs (GPU, UTID, …) against this machine")
      ->type_name("this-machine");
  app.add_option("--allow-unmet", options.allow_unmet,
                 "With --target: a requirement to go without; repeatable, or separated by commas")
      ->delimiter(',')
      ->type_name("REQUIREMENT");
  capsule::step::add_state_option(app, options.state);
}

const capsule::step::Manual& manual() {
  static const capsule::step::Manual text{
      .outputs = {{"capsule-digest", "SHA-256 of checksum.sha256: what the capsule is, whoever signed it"},
                  {"package-digest", "SHA-256 of the package file"},
                  {"name", "the capsule's name"},
                  {"version", "the capsule's version"},
                  {"key-id", "the key that signed: base64 SHA-256 of its DER"},
                  {"unmet",
                   "with --target: requirements that it lacks, separated by commas; also when that is exit 15"},
                  {"waived", "with --target: those of them that --allow-unmet names"}},
      .example = "capsule-verify capsule_m2n2-metal-0.1.0.tar.gz --key my-key.pub.pem",
      .exit_codes = {10, 11, 12, 13, 15, 40}};
  return text;
}

void run(const Options& options, capsule::step::Context& step) {
  check_target_option(options);
  const auto policy = attest::find_trust(options.trust, options.key, state_of(options).string());
  const image::WorkingStore store{options.store.empty() ? state_of(options) / "store" : options.store};
  const auto input = image::locate_capsule(options.capsule, store);
  auto& progress = step.progress();
  progress.begin("verifying", input->size());
  const auto capsule = image::verify_input(*input, policy, {.progress = &progress});
  progress.end();
  report(capsule, step);
  check_target(options, capsule.manifest(), step);
}

}  // namespace verify_step
