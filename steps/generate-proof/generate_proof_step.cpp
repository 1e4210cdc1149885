#include "generate_proof_step.hpp"

#include <fmt/format.h>

#include "api_key.hpp"
#include "attest/own_key.hpp"
#include "attest/trust_policy.hpp"
#include "cluster/target_name.hpp"
#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "failure.hpp"
#include "insecure_service.hpp"
#include "process/process.hpp"
#include "proof/proof_service.hpp"
#include "prove.hpp"
#include "step/passphrase.hpp"
#include "step/values.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

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

std::optional<ClusterChoice> cluster_of(const Options& options) {
  const auto ns = cluster::namespace_of_target(options.target);
  if (!ns) return std::nullopt;
  auto out = options.cluster;
  out.ns = *ns;
  out.insecure_registries = options.registries.insecure_registries;
  out.insecure_services = options.insecure_services;
  return out;
}

void define_cluster_options(CLI::App& app, Options& options) {
  app.add_option("--target", options.target,
                 "Where the capsule's code runs for the proof: this machine, or pods in a namespace of a Kubernetes "
                 "cluster [without NAMESPACE that of the context, or of our own pod]")
      ->capture_default_str()
      ->type_name("this-machine|kubernetes[:NAMESPACE]");
  app.add_option("--kubeconfig", options.cluster.kubeconfig,
                 "How to reach the cluster [as kubectl finds it, or our own pod's]")
      ->type_name("FILE");
  app.add_option("--context", options.cluster.context, "Context of the kubeconfig [its current one]")
      ->type_name("NAME");
  step::add_choice(app, "--capsule-volume", options.cluster.volume, cluster::capsule_volumes,
                   "On a cluster: how a pod gets the capsule; image needs nodes with image volumes")
      ->capture_default_str();
  app.add_option("--agent-image", options.cluster.images.agent, "On a cluster: the image with capsule-agent")
      ->capture_default_str()
      ->type_name("IMAGE");
  app.add_option("--verify-image", options.cluster.images.verify, "On a cluster: the image with capsule-verify")
      ->capture_default_str()
      ->type_name("IMAGE");
  app.add_option("--runtime-image", options.cluster.images.runtime,
                 "On a cluster: the image that the capsule's scripts, entrypoint and hook run in")
      ->capture_default_str()
      ->type_name("IMAGE");
  app.add_option("--relay-image", options.cluster.relay_image,
                 "On a cluster: the image with capsule-generate-proof, for the hook's relay")
      ->capture_default_str()
      ->type_name("IMAGE");
  app.add_flag("--allow-hook-network", options.cluster.allow_hook_network,
               "On a cluster: run the hook even on a node whose kernel cannot keep it from the network (before Linux "
               "6.7)");
}

/// The run that is to be proved: whatever fails from there on is a failure of its proof.
struct ToProve {
  oci::Reference reference;
  Digest run_record;
};

ToProve to_prove(const Options& options) {
  return {oci::Reference::parse(options.reference, options.registries.access()),
          as_usage("--run-record", [&] { return Digest::parse(options.run_record); })};
}

Task task_of(const Options& options, const ToProve& run, const attest::TrustPolicy& trust, const crypto::Signer& signer,
             log::Progress& progress) {
  Task task{.reference = run.reference,
            .run_record = run.run_record,
            .trust = trust,
            .signer = signer,
            .service = {},
            .insecure_services = {},
            .api_key = {},
            .utid = options.utid,
            .state = options.state,
            .hook_time = options.hook_time,
            .service_time = options.service_time,
            .cluster = cluster_of(options),
            .progress = progress};
  if (!options.proof_service.empty()) {
    task.service = Url::parse(options.proof_service);
    task.insecure_services = insecure_services(options.insecure_services, *task.service);
    task.api_key = read_api_key(options.api_key_file);
  }
  if (!task.utid.empty() && !proof::is_utid(task.utid))
    throw Error{ErrorKind::usage, fmt::format("--utid: '{}' is no UTID", printable(task.utid, 64))};
  return task;
}

std::optional<Proven> prove(const Options& options, const ToProve& run, log::Progress& progress) {
  const auto trust = attest::find_trust(options.trust, "", options.state.string());
  const auto key =
      crypto::with_module(attest::own_key(options.key, options.state, attest::Role::proof), options.pkcs11_module);
  const auto signer =
      crypto::open_signer(key, step::read_key_secret(key, options.passphrase_file, step::MissingFile::is_none));
  return prove(task_of(options, run, trust, *signer, progress));
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("reference", options.reference, "The published capsule, REGISTRY/<name>@sha256:<version index>")
      ->type_name("REFERENCE");
  app.add_option("--run-record", options.run_record, "Digest of the run record that deploy left")->type_name("DIGEST");
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
  add_insecure_services_option(app, options.insecure_services);
  app.add_option("--utid", options.utid, "UTID under which to prove [a fresh one from the service]")->type_name("UTID");
  step::add_duration(app, "--hook-time", options.hook_time, "Limit for the capsule's proof hook [30m]");
  step::add_duration(app, "--service-time", options.service_time, "Limit for the service to reach a final state [60s]");
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
  define_cluster_options(app, options);

  define_relay(*app.add_subcommand("relay", "Pass on what a proof hook asks of the proof service, in the hook's pod"),
               options.relay);
  app.require_subcommand(0, 1);
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
      .exit_codes = {10, 11, 12, 13, 14, 15, 16, 40, 41, 42},
      .subcommands = {{"relay",
                       "capsule-generate-proof relay --listen 127.0.0.1:8702 --status 0.0.0.0:8701 --proof-service "
                       "https://proofs.example --proof-hash sha256:… --utid UTID"}}};
  return text;
}

void run(const Options& given, step::Context& step) {
  if (given.reference.empty() || given.run_record.empty())
    throw Error{ErrorKind::usage, "give the REFERENCE of a capsule and --run-record DIGEST"};
  step::on_termination([] { process::kill_all(); });
  auto options = given;
  if (options.state.empty()) options.state = step::default_state_folder();
  const auto run = to_prove(options);
  const auto cluster = cluster_of(options);
  std::optional<Proven> done;
  try {
    done = prove(options, run, step.progress());
  } catch (const Error& error) {
    // Another call that is at work will say how it ends.
    if (cluster && error.kind() != ErrorKind::busy) note_failure(error, *cluster, run.reference.name, run.run_record);
    throw;
  }
  if (done)
    report(*done, step);
  else
    report_nothing(step);
}

}  // namespace generate_proof
