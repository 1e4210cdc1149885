#include "generate_proof_step.hpp"

#include <fmt/format.h>

#include "attest/own_key.hpp"
#include "attest/trust_policy.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "process/process.hpp"
#include "proof/proof_service.hpp"
#include "prove.hpp"
#include "step/passphrase.hpp"
#include "step/values.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

constexpr std::size_t max_api_key_bytes = 4096;

/// A file that is not there means no key: the templates name one that a user need not have.
std::optional<Secret> read_api_key(const Options& options) {
  if (options.api_key_file.empty() || options.proof_service.empty()) return std::nullopt;
  if (!std::filesystem::exists(options.api_key_file)) return std::nullopt;
  auto text = as_usage("", [&] { return fs::read_file(options.api_key_file, max_api_key_bytes); });
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.empty()) throw Error{ErrorKind::usage, "the file of --proof-api-key-file is empty"};
  return Secret{std::move(text)};
}

json::Array claims_of(const proof::CheckedProof& proof) {
  json::Array out;
  for (const auto& result : proof.results)
    out.push_back(json::Object{{"claim", result.claim}, {"type", result.type}, {"detail", result.detail}});
  return out;
}

std::string summary_of(const Proven& done) {
  auto out = fmt::format("{} {}\n", done.proof.bundle.proof_id, done.already ? "was proven before" : "is proven");
  for (const auto& result : done.proof.results) out += fmt::format("  {:<40} {}\n", result.claim, result.detail);
  return out + fmt::format("  bundle  {}\n", done.proof.digest.text());
}

void report(const Proven& done, step::Context& step) {
  const auto& bundle = done.proof.bundle;
  step.output("proof-bundle", done.proof.digest.text());
  step.output("proof-id", bundle.proof_id);
  step.output("proof-hash", bundle.proof_hash.text());
  step.output("evidence-digest", proof::evidence_digest(bundle.evidence).text());
  step.result("utid", bundle.utid);
  step.result("already_proven", done.already);
  step.result("claims", claims_of(done.proof));
  step.summary(summary_of(done));
}

void report_nothing(step::Context& step) {
  for (const char* name : {"proof-bundle", "proof-id", "proof-hash", "evidence-digest"}) step.output(name, "");
  step.summary("nothing to prove: the capsule makes no claims, and its proof policy requires none\n");
}

Task task_of(const Options& options, const attest::TrustPolicy& trust, const crypto::Signer& signer,
             log::Progress& progress) {
  Task task{.reference = oci::Reference::parse(options.reference, options.registries.access()),
            .run_record = as_usage("--run-record", [&] { return Digest::parse(options.run_record); }),
            .trust = trust,
            .signer = signer,
            .service = {},
            .api_key = read_api_key(options),
            .utid = options.utid,
            .state = options.state,
            .hook_time = parse_duration(options.hook_time),
            .service_time = parse_duration(options.service_time),
            .progress = progress};
  if (!options.proof_service.empty()) task.service = Url::parse(options.proof_service);
  if (!task.utid.empty() && !proof::is_utid(task.utid))
    throw Error{ErrorKind::usage, fmt::format("--utid: '{}' is no UTID", printable(task.utid, 64))};
  return task;
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("reference", options.reference, "The published capsule, REGISTRY/<name>@sha256:<version index>")
      ->required()
      ->type_name("REFERENCE");
  app.add_option("--run-record", options.run_record, "Digest of the run record that deploy left")
      ->type_name("DIGEST")
      ->required();
  app.add_option("--key", options.key,
                 "Private key (PEM, or pkcs11: on a token) that signs the proof bundle ["
                 "STATE/secrets/capsule-key-proof/key.pem]")
      ->type_name("KEY");
  step::add_passphrase_option(app, options.passphrase_file);
  step::add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_option("--trust", options.trust, "Trust policy: whose capsules may run, who signs proofs")->type_name("FILE");
  app.add_option("--proof-service", options.proof_service, "Proof service [our own, started for this]")
      ->type_name("URL");
  app.add_option("--proof-api-key-file", options.api_key_file, "File with the X-API-Key of that service")
      ->type_name("FILE");
  app.add_option("--utid", options.utid, "UTID under which to prove [a fresh one from the service]")->type_name("UTID");
  app.add_option("--hook-time", options.hook_time, "Limit for the capsule's proof hook [30m]")
      ->type_name("DURATION")
      ->check(step::duration());
  app.add_option("--service-time", options.service_time, "Limit for the service to reach a final state [60s]")
      ->type_name("DURATION")
      ->check(step::duration());
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
}

const step::Manual& manual() {
  static const step::Manual text{
      .outputs = {{"proof-bundle", "digest of the proof bundle's blob"},
                  {"proof-id", "the proof at the proof service"},
                  {"proof-hash", "SHA-256 of {capsule, claims, run record}"},
                  {"evidence-digest", "SHA-256 of the evidence as canonical JSON"}},
      .example =
          "capsule-generate-proof oci-layout:registry/m2n2-metal@sha256:… --run-record sha256:… --key proof.pem "
          "--trust trust.yaml",
      .exit_codes = {10, 11, 12, 13, 16, 40, 41, 42}};
  return text;
}

void run(const Options& given, step::Context& step) {
  step::on_termination([] { process::kill_all(); });
  auto options = given;
  if (options.state.empty()) options.state = step::default_state_folder();
  const auto trust = attest::find_trust(options.trust, "", options.state.string());
  const auto key =
      crypto::with_module(attest::own_key(options.key, options.state, attest::Role::proof), options.pkcs11_module);
  const auto signer = crypto::open_signer(key, step::read_key_secret(key, options.passphrase_file));
  const auto done = prove(task_of(options, trust, *signer, step.progress()));
  if (done)
    report(*done, step);
  else
    report_nothing(step);
}

}  // namespace generate_proof
