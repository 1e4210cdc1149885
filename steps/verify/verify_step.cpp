#include "verify_step.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "attest/trust_policy.hpp"
#include "capsule/verified_capsule.hpp"
#include "core/error.hpp"
#include "deploy/capability.hpp"
#include "deploy/host.hpp"

namespace verify_step {

using capsule::Digest;
using capsule::Error;
using capsule::ErrorKind;
namespace attest = capsule::attest;
namespace deploy = capsule::deploy;
namespace fs = capsule::fs;

namespace {

fs::Path state_of(const Options& options) {
  return options.state.empty() ? capsule::step::default_state_folder() : options.state;
}

/// A file, or a digest that names one in the working store.
fs::Path package_path(const Options& options) {
  if (options.capsule.find("://") != std::string::npos) {
    throw Error{ErrorKind::usage,
                "a capsule is verified from a file or from the store: capsule-download brings it there"};
  }
  if (!options.capsule.starts_with("sha256:")) return options.capsule;
  const auto digest = Digest::parse(options.capsule);
  const auto store = options.store.empty() ? state_of(options) / "store" : options.store;
  const auto path = store / "sha256" / std::string{digest.hex()} / "package.tar.gz";
  if (!std::filesystem::exists(path)) {
    throw Error{ErrorKind::not_found, fmt::format("{} is not in the store {}: capsule-download brings it there",
                                                  options.capsule, capsule::printable(store.string(), 1024))};
  }
  return path;
}

/// The policy's keys for the capsule that a package claims to be. A package holds one signature, so a policy that wants
/// more of them cannot be met by it.
capsule::KeyChooser keys_by(const attest::TrustPolicy& policy) {
  return [&policy](const capsule::Manifest& claimed) {
    if (const auto wanted = policy.threshold(attest::Role::capsule, claimed.name); wanted > 1) {
      throw Error{ErrorKind::verification_failed,
                  fmt::format("the trust policy wants {} signatures for {}, a package has one", wanted, claimed.name)};
    }
    return policy.keys(attest::Role::capsule, claimed.name);
  };
}

constexpr const char* this_machine = "this-machine";

void check_target_option(const Options& options) {
  if (!options.target.empty() && options.target != this_machine) {
    throw Error{ErrorKind::usage,
                fmt::format("--target {}: only {} is there yet", capsule::printable(options.target), this_machine)};
  }
}

std::string comma_separated(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ","));
}

/// Demands what the capsule requires from the target. What is lacking is an output also when that is the refusal, so
/// that a caller can decide to go without it.
void check_target(const Options& options, const capsule::VerifiedCapsule& capsule, capsule::step::Context& step) {
  const auto host = deploy::inspect_host(state_of(options));
  const auto report = deploy::check_capabilities(capsule.manifest(), host, options.allow_unmet);
  std::vector<std::string> unmet;
  for (const auto& entry : report.unmet) unmet.push_back(entry.requirement);
  step.output("unmet", comma_separated(unmet));
  step.output("waived", comma_separated(report.waived));
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
  app.add_option("CAPSULE", options.capsule, "The package: a file, or sha256:<package digest> in the store")
      ->required();
  app.add_option("--key", options.key, "Public key (PEM) that must have signed")->type_name("PUB");
  app.add_option("--trust", options.trust, "Trust policy: whose signature is good for which capsule")
      ->type_name("FILE");
  app.add_option("--store", options.store, "Working store [STATE/store]")->type_name("DIR");
  app.add_option("--target", options.target, "Also check that the capsule can run there; deploy always does")
      ->type_name("this-machine");
  app.add_option(
         "--allow-unmet", options.allow_unmet,
         "A requirement that the target may lack, as the manifest writes it; repeatable, or separated by commas")
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
                  {"unmet", "with --target: requirements that it lacks, separated by commas"},
                  {"waived", "with --target: those that --allow-unmet goes without"}},
      .example = "capsule-verify capsule_m2n2-metal-0.1.0.tar.gz --key my-key.pub.pem",
      .exit_codes = {10, 11, 12, 13, 15, 40}};
  return text;
}

void run(const Options& options, capsule::step::Context& step) {
  check_target_option(options);
  const auto path = package_path(options);
  const auto policy = attest::find_trust(options.trust, options.key, state_of(options).string());
  fs::FileSource package{path};
  auto& progress = step.progress();
  progress.begin("verifying", package.size());
  const auto capsule = capsule::verify_package(package, keys_by(policy), {.progress = &progress});
  progress.end();
  policy.check_revoked(capsule.capsule_digest());
  policy.check_revoked(capsule.package_digest());
  if (options.capsule.starts_with("sha256:") && capsule.package_digest().text() != options.capsule) {
    throw Error{ErrorKind::verification_failed, fmt::format("the store holds {} under the name of {}",
                                                            capsule.package_digest().text(), options.capsule)};
  }
  report(capsule, step);
  if (!options.target.empty()) check_target(options, capsule, step);
}

}  // namespace verify_step
