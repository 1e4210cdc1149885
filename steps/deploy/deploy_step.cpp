#include "deploy_step.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "capsule/extractor.hpp"
#include "cluster/target_name.hpp"
#include "core/error.hpp"
#include "deploy/run_ledger.hpp"
#include "deploy/run_parameters.hpp"
#include "deploy/this_host.hpp"
#include "deploy/this_machine.hpp"
#include "fs/lock.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "make_run.hpp"
#include "on_cluster.hpp"
#include "order.hpp"
#include "plan_on_cluster.hpp"
#include "warm_pool.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

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
  require_name(capsule.manifest(), reference);
  auto root = extractor.keep(capsule);
  return {std::move(capsule), std::move(root)};
}

std::unique_ptr<deploy::ThisMachine> open_target(const Options& options, const fs::Path& state,
                                                 const attest::TrustPolicy& trust) {
  return std::make_unique<deploy::ThisMachine>(
      deploy::ThisMachineOptions{state, options.timeout, options.watts},
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

void deploy_here(const Order& order, step::Context& step) {
  const auto& [options, reference, parameters, state, trust, shared_index] = order;
  const auto target = open_target(options, state, trust);
  const auto store = oci::open_store(reference.registry, reference.name);
  const auto folder = deployment_folder(state, reference.name);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  // One deploy of a name at a time: the second waits, then finds the first one's result.
  const fs::FileLock lock{folder / ".lock", options.timeout};

  const auto unpacked = fetch(*store, reference, trust, state, step.progress());
  const auto report = target->check(unpacked.capsule.manifest(), options.allow_unmet);
  step.output("waived", joined(report.waived));
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
    object.begin(unpacked.capsule.manifest(), unpacked.capsule.capsule_digest(), reference.text(),
                 entry.request.run_id());
    if (made) {
      entry.text = make_run({*target, unpacked.capsule, unpacked.root, folder / "pool", report.waived, object,
                             options.timeout, options.watts},
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

void remove_here(const Options& options, step::Context& step) {
  const auto name = name_in(options.reference);
  const auto folder = deployment_folder(options.state.empty() ? step::default_state_folder() : options.state, name);
  if (is_deployed(folder)) {
    const fs::FileLock lock{folder / ".lock", options.timeout};
    WarmPool::end(folder / "pool");
    deploy::ProofedDeployment{folder / "proofeddeployment.json"}.pool_ended();
  }
  step.result("name", name);
  step.summary(fmt::format("nothing of {} is kept running\n", name));
}

}  // namespace

void run(const Options& options, step::Context& step) {
  const auto ns = cluster::namespace_of_target(options.target);
  const auto order = read_order(options, ns, step);
  if (options.plan) {
    if (!ns) throw Error{ErrorKind::usage, "--plan is about a cluster: give --target kubernetes[:NAMESPACE]"};
    plan_on_cluster(order, *ns, step);
  } else if (ns)
    deploy_on_cluster(order, *ns, step);
  else
    deploy_here(order, step);
}

void remove(const Options& options, step::Context& step) {
  if (const auto ns = cluster::namespace_of_target(options.target))
    remove_from_cluster(options, *ns, step);
  else
    remove_here(options, step);
}

}  // namespace deploy_step
