#include "deploy_step.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "attest/trust_policy.hpp"
#include "capsule/extractor.hpp"
#include "core/error.hpp"
#include "core/semver.hpp"
#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "deploy/run_ledger.hpp"
#include "deploy/run_parameters.hpp"
#include "deploy/this_host.hpp"
#include "deploy/this_machine.hpp"
#include "fs/lock.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "make_run.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"
#include "step/passphrase.hpp"
#include "step/values.hpp"
#include "warm_pool.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

constexpr std::uint64_t max_exact_integer = (std::uint64_t{1} << 53U) - 1;

json::Value parse_parameters(const std::string& text) {
  auto value = as_usage("", [&] { return json::parse(text, "--parameters"); });
  if (!value.is_object())
    throw Error{ErrorKind::usage, "--parameters wants one JSON object, such as {\"generations\": 50}"};
  json::Cursor{value, "--parameters", ErrorKind::usage}.require_exact_integers();
  return value;
}

/// The capsule, unpacked below the state folder and verified on the way.
struct Unpacked {
  VerifiedCapsule capsule;
  fs::Path root;
};

Unpacked fetch(oci::Store& store, const oci::Reference& reference, const attest::TrustPolicy& trust,
               const fs::Path& state, log::Progress& progress) {
  const auto folder = state / "capsules";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  Extractor extractor{folder};
  const auto input = image::published_package(store, image::read_published(store, *reference.digest));
  progress.begin("fetching", input->size());
  auto capsule = image::verify_input(*input, trust, {.observer = &extractor, .progress = &progress});
  progress.end();
  if (capsule.manifest().name != reference.name) {
    throw Error{ErrorKind::verification_failed, fmt::format("the capsule under the name '{}' calls itself '{}'",
                                                            reference.name, capsule.manifest().name)};
  }
  auto root = extractor.keep(capsule);
  return {std::move(capsule), std::move(root)};
}

std::unique_ptr<deploy::ThisMachine> open_target(const Options& options, const fs::Path& state,
                                                 const attest::TrustPolicy& trust) {
  if (options.target != "this-machine") {
    throw Error{ErrorKind::usage,
                fmt::format("--target {}: only this-machine is there yet", printable(options.target))};
  }
  return std::make_unique<deploy::ThisMachine>(
      deploy::ThisMachineOptions{state, parse_duration(options.timeout), options.watts},
      deploy::look_at_host(state, options.host_identity, {trust, !options.key.empty()}));
}

fs::Path deployment_folder(const fs::Path& state, const std::string& name) {
  return state / "deployments" / name;
}

/// Whether there is one; what cannot be looked at is no answer. Errors as fs::throw_errno.
bool is_deployed(const fs::Path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) == 0) return true;
  if (errno != ENOENT) fs::throw_errno("look at", folder, errno);
  return false;
}

/// Of a reference, or of a name alone.
std::string name_in(const std::string& text) {
  return is_name(text) ? text : oci::Reference::parse(text).name;
}

/// The version index as what a run record refers to.
oci::Descriptor subject_of(oci::Store& store, const Digest& index) {
  return {std::string{oci::media_type::image_index}, index, store.manifest(index).size(), {}, {}, {}};
}

/// "warm" or "cold", as a run record says.
std::string start_in(const std::string& record) {
  const auto value = json::parse(record, "the run record", {.bytes = deploy::max_run_record_bytes, .depth = 64});
  return json::Cursor{value, "the run record"}.at("start").at("mode").string();
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("reference", options.reference,
                 "The published capsule: REGISTRY/<name>@sha256:… of its version index, REGISTRY as publish takes it")
      ->type_name("REFERENCE");
  app.add_option("--trust", options.trust, "Trust policy with the role capsule")->type_name("FILE");
  app.add_option(
         "--key", options.key,
         "Public key (PEM, or pkcs11: on a token) that must have signed the capsule; short for a trust policy with "
         "one key")
      ->type_name("FILE")
      ->excludes("--trust");
  step::add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_option("--target", options.target, "Where to deploy to")->capture_default_str()->type_name("this-machine");
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
  app.add_option("--timeout", options.timeout, "Time limit of install.sh, of healthcheck.sh and of the run: each")
      ->capture_default_str()
      ->type_name("DURATION")
      ->check(step::duration());
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
  end->add_option("--timeout", options.timeout, "How long to wait for a deploy that is at work")
      ->capture_default_str()
      ->type_name("DURATION")
      ->check(step::duration());
  step::add_state_option(*end, options.state);
  app.require_subcommand(0, 1);
}

const step::Manual& manual() {
  static const step::Manual instance{
      {{"run-record", "digest of the run record, which is attached to the version index"},
       {"run-id", "identity of the run: 16 hexadecimal digits"},
       {"phase", "Succeeded, or AlreadyDone when the run was found"},
       {"waived", "requirements that were waived, separated by commas"}},
      "capsule-deploy oci-layout:/srv/capsules/m2n2-metal@sha256:… --trust trust.yaml --allow-unmet "
      "gpu:true,utid:hardware-bound",
      {10, 11, 12, 13, 15, 16, 40, 41, 42},
      {{"delete", "capsule-deploy delete m2n2-metal"}}};
  return instance;
}

void run(const Options& options, step::Context& step) {
  if (options.reference.empty())
    throw Error{ErrorKind::usage, "give the REFERENCE of a published capsule, or: delete REFERENCE (see --help)"};
  const auto reference = oci::Reference::parse(options.reference, options.registries.access());
  if (!reference.digest)
    throw Error{ErrorKind::usage,
                "give the reference with the digest of its version index, <name>@sha256:…, so that nothing can change "
                "under it"};
  const auto parameters = parse_parameters(options.parameters);
  const auto state = options.state.empty() ? step::default_state_folder() : options.state;
  const auto trust =
      attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module), state.string());
  const auto target = open_target(options, state, trust);
  const auto store = oci::open_store(reference.registry, reference.name);
  const auto folder = deployment_folder(state, reference.name);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  // One deploy of a name at a time: the second waits, then finds the first one's result.
  const fs::FileLock lock{folder / ".lock", parse_duration(options.timeout)};

  const auto unpacked = fetch(*store, reference, trust, state, step.progress());
  const auto report = target->check(unpacked.capsule.manifest(), options.allow_unmet);
  std::string waived;
  for (const auto& requirement : report.waived) waived += (waived.empty() ? "" : ",") + requirement;
  step.output("waived", waived);
  report.require_all_met();
  deploy::check_parameters(unpacked.capsule.manifest(), parameters);

  deploy::RunLedger ledger{folder / "runs"};
  const deploy::RunWish wish{unpacked.capsule.capsule_digest(), target->id(), parameters, options.budget, options.seed};
  auto entry = ledger.begin(wish, options.new_run ? deploy::NewRun::yes : deploy::NewRun::no);
  // A run has one record, ever: where that is lost on both sides, what follows is another run.
  if (entry.record && entry.text.empty() && !store->has_blob(*entry.record))
    entry = ledger.begin(wish, deploy::NewRun::yes);
  step.output("run-id", entry.request.run_id());
  // The ledger knows the record; another registry, or one that was emptied since, does not.
  const bool attached = entry.record && store->has_blob(*entry.record);
  const bool made = !attached && entry.text.empty();
  if (!attached) {
    store->require_writable();  // a run whose record cannot be attached would be for nothing
    deploy::ProofedDeployment object{deploy::ProofedDeployment::file_of(state, reference.name)};
    object.begin(unpacked.capsule.manifest(), unpacked.capsule.capsule_digest(), options.reference,
                 entry.request.run_id());
    if (made) {
      entry.text = make_run({*target, unpacked.capsule, unpacked.root, folder / "pool", report.waived, object,
                             parse_duration(options.timeout), options.watts},
                            entry.request);
      ledger.keep(entry);
    }
    entry.record = deploy::attach_run_record(*store, subject_of(*store, *reference.digest), entry.text);
    const auto start = start_in(entry.text);
    object.ran(*entry.record, start);
    ledger.finish(wish, entry);
    if (made) step.result("start", start);
  }
  step.output("run-record", entry.record->text());
  step.output("phase", made ? "Succeeded" : "AlreadyDone");
}

void remove(const Options& options, step::Context& step) {
  const auto name = name_in(options.reference);
  const auto folder = deployment_folder(options.state.empty() ? step::default_state_folder() : options.state, name);
  if (is_deployed(folder)) {
    const fs::FileLock lock{folder / ".lock", parse_duration(options.timeout)};
    WarmPool::end(folder / "pool");
    deploy::ProofedDeployment{folder / "proofeddeployment.json"}.pool_ended();
  }
  step.result("name", name);
  step.summary(fmt::format("nothing of {} is kept running\n", name));
}

}  // namespace deploy_step
