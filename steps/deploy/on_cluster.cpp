#include "on_cluster.hpp"

#include <fmt/format.h>

#include "cluster/deployed_object.hpp"
#include "cluster/failed_try.hpp"
#include "cluster/former_state.hpp"
#include "cluster/names.hpp"
#include "cluster/proof_note.hpp"
#include "cluster/removal.hpp"
#include "cluster/roll_out.hpp"
#include "cluster/run_book.hpp"
#include "cluster/status_check.hpp"
#include "cluster/target_name.hpp"
#include "cluster/turn.hpp"
#include "cluster_ledger.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "deploy/run_parameters.hpp"
#include "failure.hpp"
#include "fetch_for_pods.hpp"
#include "kube/client.hpp"
#include "log/log.hpp"
#include "node_check.hpp"
#include "options_digest.hpp"
#include "plan_on_cluster.hpp"
#include "run_in_pod.hpp"
#include "termination.hpp"
#include "waiting_pods.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

/// One deploy to one namespace.
class ClusterDeploy {
 public:
  ClusterDeploy(const Order& order, const std::string& ns, step::Context& step)
      : m_order(order),
        m_step(step),
        m_client(kube::load({order.options.kubeconfig, order.options.context})),
        m_ns(ns.empty() ? m_client.config().ns : ns),
        m_store(oci::open_store(order.reference.registry, order.reference.name)),
        m_object(m_client, m_ns, order.reference.name),
        m_ledger(order, *m_store, m_object),
        m_site{order, m_client, m_ns, *m_store, m_object, [this] { m_turn->keep(); }} {
    give_back_on_termination({order.options.kubeconfig, order.options.context},
                             cluster::Turn::lease_name(m_ns, order.reference.name), m_holder);
  }

  void run() {
    try {
      deploy();
    } catch (const Error& error) {
      if (const auto deletion = deletion_behind(error, m_object)) throw *deletion;
      leave_no_lease();
      throw;
    }
  }

 private:
  void deploy() {
    const auto target = cluster::target_of(m_client, m_ns);
    const auto fetched = fetch_for_pods(m_order, *m_store, m_step.progress());
    const auto& manifest = fetched.capsule.manifest();
    deploy::check_parameters(manifest, m_order.parameters);
    take_turn(fetched.capsule.capsule_digest());
    require_index_goes_on(m_order, m_object.known(), m_step.progress());
    auto former = take_over();
    // Seen is seen, also where the deploy fails.
    if (m_object.known() != nullptr)
      m_object.change_status([&](json::Object& object) { note_index(m_order, object); });
    warn_of_template(m_site);
    const deploy::RunWish wish{fetched.capsule.capsule_digest(), target, m_order.parameters, m_order.options.budget,
                               m_order.options.seed};
    const auto check = check_nodes(m_site, manifest);
    m_step.output("waived", joined(check.report.waived));
    if (!check.report.unmet.empty() && stays_as_it_is(wish)) return say_done(m_ledger.begin(wish));
    check.report.require_all_met();
    if (!check.gpu_claim.empty()) log::info(check.said_of_claim);
    const auto replicas = m_ledger.is_done(wish) ? manifest.prewarm_replicas : std::max(1U, manifest.prewarm_replicas);
    cluster::RollOut roll_out{m_client, m_object, std::move(former), roll_out_wish(fetched, check)};
    roll_out.apply(replicas);
    auto entry = m_ledger.begin(wish);
    m_step.output("run-id", entry.request.run_id());
    const RunInPod run{m_site, fetched.capsule, check, roll_out, m_ledger, wish};
    const bool done = is_on_record(run, entry);
    if (!done) m_step.result("start", make_run_in_pod(run, entry));
    if (replicas > manifest.prewarm_replicas) roll_out.end_pods();  // the pod was for this run alone
    finish(fetched.capsule, roll_out, done ? &entry : nullptr);
    end(entry, done ? "AlreadyDone" : "Succeeded");
  }

  /// And reads the object in it. The lease of one that was deleted just now may go as we take it.
  void take_turn(const Digest& capsule) {
    do {
      m_turn.emplace(m_client, m_ns, m_order.reference.name, capsule, m_order.options.timeout, m_holder);
      m_object.read();
    } while (!m_turn->belong_to(m_object.lasting_owner()));
  }

  /// Where no object came to be (there is no such kind, a quota has no room for it), or one is on its way out, nothing
  /// would take it along.
  void leave_no_lease() {
    if (!m_turn || m_object.lasting_owner()) return;
    m_turn.reset();
    try {
      cluster::remove_idle_lease(m_client, m_ns, m_order.reference.name);
    } catch (const Error& error) {
      log::debug("its lease stays: " + error.message());
    }
  }

  /// From now on whoever deletes the object removes the lease with it.
  void give_turn_to_object() {
    if (m_turn->belong_to(m_object.owner())) return;
    throw Error{ErrorKind::busy,
                fmt::format("{} in namespace {} may be deployed by another one: the lease that we held "
                            "was removed",
                            m_order.reference.name, m_ns)};
  }

  /// Looks at what is there; what is written from now on is written in our turn.
  cluster::FormerState take_over() {
    auto former = cluster::look_at_former(m_client, m_object, m_order.options.capsule_volume,
                                          {m_order.options.timeout, m_site.keep_turn});
    m_object.learn_form();
    m_object.take_over(m_turn->number(), former.highest_fence());
    return former;
  }

  /// Whether there is nothing to do. What the nodes lack now (one that is cordoned, GPUs that others have) is then no
  /// reason to fail.
  bool stays_as_it_is(const deploy::RunWish& wish) {
    if (!m_ledger.is_done(wish)) return false;
    const auto found = plan_there(m_site, wish, options_digest(m_order.options, m_order.reference));
    return found.action == cluster::Plan::Action::none || found.action == cluster::Plan::Action::prove;
  }

  void say_done(const deploy::LedgerEntry& entry) {
    log::info("no node can take it now; what is deployed is as it should be, and stays");
    m_step.output("run-id", entry.request.run_id());
    warn_unless_index_noted();
    end(entry, "AlreadyDone");
  }

  void warn_unless_index_noted() {
    if (m_order.index) m_order.index->warn_unless_noted(m_object.value());
  }

  void end(const deploy::LedgerEntry& entry, std::string_view phase) {
    m_step.output("run-record", entry.record->text());
    m_step.output("phase", phase);
    m_turn.reset();
    m_step.result("api_calls", m_client.requests());
  }

  cluster::RollOutWish roll_out_wish(const FetchedForPods& fetched, const cluster::ClusterCheck& check) {
    const auto& options = m_order.options;
    return {.capsule = fetched.capsule,
            .check = check,
            .source = fetched.source,
            .images = options.images,
            .published = m_order.reference.text(),
            .force = options.force_conflicts,
            .options_digest = options_digest(options, m_order.reference),
            .operator_mode = options.operator_mode,
            .on_wait = m_site.keep_turn,
            .on_object = [this] { give_turn_to_object(); }};
  }

  /// Then there is no run to make.
  bool is_on_record(const RunInPod& run, deploy::LedgerEntry& entry) {
    if (m_ledger.is_on_record(entry)) return true;
    // One that was killed between attaching the record and noting it here.
    const auto record = m_ledger.find_record(entry);
    if (record) note_run(run, entry, start_in(*record));
    return record.has_value();
  }

  /// The pool as the manifest wants it, and how many pods wait. `done`: the run, where it was on record before.
  void finish(const VerifiedCapsule& capsule, cluster::RollOut& roll_out, const deploy::LedgerEntry* done) {
    roll_out.note_fields();
    std::optional<FilledPool> pool;
    const auto replicas = capsule.manifest().prewarm_replicas;
    if (replicas == 0)
      pool.emplace();
    else if (done == nullptr)
      pool = refill_pool(m_site, roll_out);
    else if (!cluster::is_rolled_out(roll_out.deployment()))
      pool = fill_pool(m_site, roll_out);
    if (pool && !pool->shortage.empty()) log::warning(pool->shortage);
    m_object.change_status([&](json::Object& object) {
      if (done != nullptr && (!pool || pool->shortage.empty()))
        cluster::clear_failed_try(object, capsule.capsule_digest());
      if (done != nullptr && mend_status(object, *done) && !pool && replicas > 0) pool = FilledPool{replicas};
      if (pool) note_pool(object, capsule.capsule_digest(), *pool);
      note_index(m_order, object);
      cluster::set_seen(object, m_object.applied());
    });
    warn_unless_index_noted();
    if (done != nullptr) cluster::mark_pods(m_client, m_object.value());
  }

  static void note_pool(json::Object& object, const Digest& capsule, const FilledPool& pool) {
    if (pool.waiting == 0) return deploy::set_warm(object, 0, {});
    auto& status = deploy::member(object, "status");
    status.set("warmReplicas", pool.waiting);
    // Another deploy would find the same: it is left to those who make room.
    if (!pool.shortage.empty())
      status.set("rollout",
                 cluster::next_failure(json::Value{object}, capsule.text(), ErrorKind::unavailable, {}, now()));
    deploy::set_condition(object, {"Warm", true, "ProcessesWait", pool.shortage});
  }

  /// Makes a status that is not that of the run again, of its record. False: it is.
  bool mend_status(json::Object& object, const deploy::LedgerEntry& run) {
    const auto runs = cluster::RunBook::parse(m_object.annotation(cluster::annotation::runs));
    const auto fault = cluster::fault_of_status(json::Value{object}, runs, run.request.run_id());
    if (fault.empty()) return false;
    log::info(fault + ": it is made again, as the record of the run has it");
    deploy::set_ran_before(object, recorded_run(*m_store, *run.record));
    return true;
  }

  const Order& m_order;
  step::Context& m_step;
  kube::Client m_client;
  std::string m_ns;
  const std::string m_holder = cluster::holder_name();
  std::unique_ptr<oci::Store> m_store;
  cluster::DeployedObject m_object;
  ClusterLedger m_ledger;
  std::optional<cluster::Turn> m_turn;
  const ClusterSite m_site;
};

}  // namespace

void deploy_on_cluster(const Order& order, const std::string& ns, step::Context& step) {
  if (order.reference.registry.is_layout())
    throw Error{ErrorKind::usage,
                "the pods of a cluster cannot reach a folder of this machine: publish the capsule to a registry "
                "(oci://HOST/BASE)"};
  cluster::require_short_name(order.reference.name);
  ClusterDeploy{order, ns, step}.run();
}

}  // namespace deploy_step
