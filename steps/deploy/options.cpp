#include "options.hpp"

#include "step/passphrase.hpp"
#include "step/values.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

constexpr std::uint64_t max_exact_integer = (std::uint64_t{1} << 53U) - 1;

void add_cluster_choice(CLI::App& app, Options& options) {
  app.add_option("--kubeconfig", options.kubeconfig, "How to reach the cluster [as kubectl finds it, or our own pod's]")
      ->type_name("FILE");
  app.add_option("--context", options.context, "Context of the kubeconfig [its current one]")->type_name("NAME");
}

void define_cluster_options(CLI::App& app, Options& options) {
  add_cluster_choice(app, options);
  app.add_flag(
      "--plan", options.plan,
      "On a cluster: only say what is to be done (output action: none, deploy or prove) and why; change nothing");
  app.add_flag("--retry-failed", options.retry_failed,
               "With --plan: also what failed (roll-out, run, proof) and would else be left alone for a while");
  app.add_flag("--renew-proofs", options.renew_proofs,
               "On a cluster: run again where the proof of the last run is older than max_age of the trust policy");
  app.add_flag("--force-conflicts", options.force_conflicts,
               "On a cluster: take over fields that another manager has set, which is else refused");
  step::add_choice(app, "--capsule-volume", options.capsule_volume, cluster::capsule_volumes,
                   "On a cluster: how a pod gets the capsule; image needs nodes with image volumes")
      ->capture_default_str();
  step::add_choice(app, "--operator", options.operator_mode, cluster::operator_modes,
                   "On a cluster: who makes the Deployment. none: we, at once; wait: the DAC platform's operator, of "
                   "spec.template of the object; we where it has not within 10 s")
      ->capture_default_str();
  app.add_option("--gpu-claim", options.gpu_claim,
                 "On a cluster: the ResourceClaimTemplate (resource.k8s.io/v1) by which pods get GPUs [an extended "
                 "resource, such as nvidia.com/gpu]")
      ->type_name("NAME");
  app.add_option("--agent-image", options.images.agent, "On a cluster: the image with capsule-agent")
      ->capture_default_str()
      ->type_name("IMAGE");
  app.add_option("--verify-image", options.images.verify, "On a cluster: the image with capsule-verify")
      ->capture_default_str()
      ->type_name("IMAGE");
  app.add_option("--runtime-image", options.images.runtime,
                 "On a cluster: the image that the capsule's scripts and entrypoint run in")
      ->capture_default_str()
      ->type_name("IMAGE");
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("reference", options.reference,
                 "The published capsule: REGISTRY/<name>@sha256:… of its version index, REGISTRY as publish takes it, "
                 "or a capsule:// URI")
      ->type_name("REFERENCE");
  app.add_option("--registry", options.registry,
                 "Registry whose index resolves a capsule:// URI that names none; with --plan, that to which the "
                 "loop publishes")
      ->type_name("REGISTRY");
  app.add_option("--index-head", options.index_head,
                 "On a cluster: the head of the index by which download has found the capsule. An older one than was "
                 "seen before is refused (role index of the trust policy)")
      ->type_name("REFERENCE");
  app.add_option("--trust", options.trust, "Trust policy with the role capsule")->type_name("FILE");
  app.add_option(
         "--key", options.key,
         "Public key (PEM, or pkcs11: on a token) that must have signed the capsule; short for a trust policy with "
         "one key")
      ->type_name("FILE")
      ->excludes("--trust");
  step::add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_option("--target", options.target,
                 "Where to deploy to: this machine, or a namespace of a Kubernetes cluster [without NAMESPACE that of "
                 "the context, or of our own pod]")
      ->capture_default_str()
      ->type_name("this-machine|kubernetes[:NAMESPACE]");
  define_cluster_options(app, options);
  app.add_option("--allow-unmet", options.allow_unmet,
                 "A requirement to go without, as the manifest writes it; repeatable, or separated by commas; the run "
                 "record calls it waived")
      ->delimiter(',')
      ->type_name("REQUIREMENT");
  app.add_option("--parameters", options.parameters, "Parameters of the capsule's runner, one JSON object")
      ->capture_default_str()
      ->type_name("JSON");
  app.add_option("--seed", options.seed, "Seed of the run, below 2^53 [drawn, and remembered for a retry]")
      ->type_name("N")
      ->check(step::whole_number(0, max_exact_integer));
  app.add_option("--budget", options.budget,
                 "Budget that the runner is given, in its own unit [0: the runner's default]")
      ->type_name("N")
      ->check(step::whole_number(0, max_exact_integer));
  app.add_flag("--new-run", options.new_run,
               "Run again, with a new seed and the next ordinal, although a run is done (it is billed again)");
  step::add_duration(
      app, "--timeout", options.timeout,
      "Time limit of install.sh, of healthcheck.sh and of the run: each; on a cluster also of the wait for a pod")
      ->capture_default_str();
  app.add_option("--watts", options.watts,
                 "Power of one busy core, W: for the energy estimate where the processor measures none")
      ->capture_default_str()
      ->type_name("W")
      ->check(step::decimal_number(0, 1e6));
  app.add_option_function<std::string>(
         "--host-identity", [&options](const std::string& text) { options.host_identity = text; },
         "This machine's UTID and the certificate that binds it; trusted by the role utid of the trust policy "
         "[STATE/host-identity.json]")
      ->type_name("FILE");
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);

  auto* end = app.add_subcommand("delete", "End what a deployment keeps running: its warm pool. Runs stay on record");
  end->add_option("reference", options.reference, "The capsule, or its name alone")->required()->type_name("REFERENCE");
  step::add_duration(*end, "--timeout", options.timeout, "How long to wait for a deploy that is at work")
      ->capture_default_str();
  end->add_option("--target", options.target, "Where it was deployed to")
      ->capture_default_str()
      ->type_name("this-machine|kubernetes[:NAMESPACE]");
  add_cluster_choice(*end, options);
  step::add_state_option(*end, options.state);
  app.require_subcommand(0, 1);
}

const step::Manual& manual() {
  static const step::Manual instance{
      {{"run-record", "digest of the run record, which is attached to the version index"},
       {"run-id", "identity of the run: 16 hexadecimal digits"},
       {"phase", "Succeeded, or AlreadyDone when the run was found"},
       {"waived", "requirements that were waived, separated by commas"},
       {"action", "plan: none, deploy, or prove (the run is done and its proof is missing)"},
       {"reason", "plan: why"},
       {"reference", "plan: the published capsule, by digest"},
       {"capsule-digest", "plan: SHA-256 of its checksum list, as the registry says it"}},
      "capsule-deploy oci-layout:/srv/capsules/m2n2-metal@sha256:… --trust trust.yaml --allow-unmet "
      "gpu:true,utid:hardware-bound",
      {10, 11, 12, 13, 14, 15, 16, 40, 41, 42},
      {{"delete", "capsule-deploy delete m2n2-metal"}}};
  return instance;
}

}  // namespace deploy_step
