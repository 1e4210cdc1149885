#include "verify_step.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "deploy/capability.hpp"
#include "deploy/this_host.hpp"
#include "json/parse.hpp"
#include "process/process.hpp"
#include "replay/second_run.hpp"
#include "subject.hpp"

namespace verify_step {

using namespace capsule;

namespace {

/// Holds what the capsule needs against this machine. What it lacks is an output before it is an error, so that a
/// caller can decide to go without it.
void check_target(const Options& options, const attest::TrustPolicy& trust, const Manifest& manifest,
                  step::Context& step) {
  if (options.target.empty()) return;
  const auto host =
      deploy::look_at_host(options.state_folder(), options.host_identity, {trust, !options.signers.key.empty()});
  const auto report = deploy::check_capabilities(manifest, host, options.allow_unmet);
  std::vector<std::string> unmet;
  for (const auto& entry : report.unmet) unmet.push_back(entry.requirement);
  step.output("unmet", fmt::format("{}", fmt::join(unmet, ",")));
  step.output("waived", fmt::format("{}", fmt::join(report.waived, ",")));
  report.require_all_met();
}

/// Makes the proven run again, and says what that showed of its seed.
std::string run_again(const Subject& subject, const proof::CheckedProof& proof, const Options& options,
                      const attest::TrustPolicy& trust, log::Progress& progress) {
  step::on_termination([] { process::kill_all(); });
  const auto unpacked = replay::unpack(*subject.input, trust, options.state_folder() / "replays", progress);
  const auto record = proof::read_run_record(proof.run_record, unpacked.facts);
  const auto output = replay::run_again({unpacked, record, options.timeout});
  return fmt::format("checked again, a second run gave the same output {}{}", output.text(),
                     replay::needs_second_run(unpacked.facts) ? ", and one with another seed gave other samples" : "");
}

std::vector<std::string> checks_of(const Subject& subject, const Verified& verified) {
  const auto signatures = verified.capsule.signers().size();
  std::vector<std::string> out{fmt::format("package: {}, {} checksums and manifest",
                                           signatures == 1 ? "signature" : fmt::format("{} signatures", signatures),
                                           verified.capsule.files().lines().size())};
  if (subject.found) {
    out.push_back(fmt::format("index: sequence {}, signed by a trusted key, registered {}", subject.found->sequence,
                              subject.found->record.published_at));
  }
  if (!verified.proof) return out;
  for (auto& line : resolve::checks_of(*verified.proof, verified.receipts)) out.push_back(std::move(line));
  return out;
}

std::vector<std::string> signers_of(const VerifiedCapsule& capsule) {
  std::vector<std::string> ids;
  for (const auto& key : capsule.signers()) ids.push_back(key.id());
  return ids;
}

std::string summary_of(const VerifiedCapsule& capsule) {
  const auto& manifest = capsule.manifest();
  const auto signers = signers_of(capsule);
  return fmt::format(
      "{} {} is whole and signed by {} ({}, {} files)\n  capsule  {}\n  package  {}\n"
      "  key      {}\n",
      manifest.name, manifest.version,
      signers.size() == 1 ? "a trusted key" : fmt::format("{} trusted keys", signers.size()),
      human_size(capsule.package_size()), capsule.files().lines().size(), capsule.capsule_digest().text(),
      capsule.package_digest().text(), fmt::join(signers, "\n  key      "));
}

void report(const Subject& subject, const Verified& verified, const std::string& seed, step::Context& step) {
  const auto& capsule = verified.capsule;
  step.output("capsule-digest", capsule.capsule_digest().text());
  step.output("package-digest", capsule.package_digest().text());
  step.output("name", capsule.manifest().name);
  step.output("version", capsule.manifest().version);
  const auto signers = signers_of(capsule);
  step.output("key-id", signers.front());
  if (!verified.unpacked.empty()) step.output("unpacked", verified.unpacked.string());
  step.result("key_ids", json::Array{signers.begin(), signers.end()});
  step.result("canonical", capsule.is_canonical());
  step.result("size", capsule.package_size());
  auto summary = summary_of(capsule);
  if (!verified.unpacked.empty())
    summary += fmt::format("  unpacked {}\n", printable(verified.unpacked.string(), 1024));
  json::Array checks;
  for (const auto& line : checks_of(subject, verified)) {
    checks.emplace_back(line);
    if (subject.found || verified.proof) summary += fmt::format("  checked  {}\n", line);
  }
  step.result("checks", std::move(checks));
  if (verified.proof) {
    step.result("proof_id", verified.proof->bundle.proof_id);
    step.result("proof_digest", verified.proof->digest.text());
    step.result("seed", seed);
    summary += fmt::format("  seed: {}\n", seed);
  }
  step.summary(std::move(summary));
}

}  // namespace

void run(const Options& options, step::Context& step) {
  check_options(options);
  const auto trust =
      attest::find_trust(options.signers.trust, crypto::with_module(options.signers.key, options.signers.pkcs11_module),
                         options.state_folder().string());
  const auto subject = find_subject(options, trust, step.progress());
  const auto verified = verify(subject, options, trust, step.progress());
  // Only a second run shows that the samples are those of the recorded seed.
  std::string seed = "not checked again (--replay runs the capsule once more and compares)";
  if (options.replay) seed = run_again(subject, *verified.proof, options, trust, step.progress());
  report(subject, verified, seed, step);
  check_target(options, trust, verified.capsule.manifest(), step);
}

}  // namespace verify_step
