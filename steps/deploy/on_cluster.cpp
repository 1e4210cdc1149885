#include "on_cluster.hpp"

#include <fmt/format.h>

#include "asked.hpp"
#include "cluster/deployed_object.hpp"
#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "cluster/names.hpp"
#include "cluster/pod_pool.hpp"
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
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "kube/client.hpp"
#include "log/log.hpp"
#include "termination.hpp"

namespace deploy_step {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

/// So long deploy waits for the pool to be filled again, to say how many wait.
constexpr auto refill_patience = 30s;

/// Adds up how large the files are, unpacked.
class SizeCounter final : public PackageObserver {
 public:
  void begin_file(const fs::SafePath&, std::uint64_t size, bool) override { m_bytes += size; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return m_bytes; }

 private:
  std::uint64_t m_bytes = 0;
};

/// The capsule, verified; a cluster's pods fetch it by themselves.
struct Fetched {
  VerifiedCapsule capsule;
  cluster::CapsuleSource source;
};

Fetched fetch(const Order& order, oci::Store& store, log::Progress& progress) {
  const auto& [options, reference, parameters, state, trust, shared_index] = order;
  SizeCounter size;
  const auto published = image::read_published(store, *reference.digest);
  const auto input = image::published_package(store, published);
  progress.begin("verifying", input->size());
  auto capsule = image::verify_input(*input, trust, {.observer = &size, .progress = &progress});
  progress.end();
  require_name(capsule.manifest(), reference);
  const auto& registry = reference.registry;
  cluster::CapsuleSource source{options.capsule_volume, reference.text(),
                                fmt::format("{}/{}@{}", registry.host(), registry.repository(reference.name),
                                            published.package_manifest.digest.text()),
                                size.bytes(), options.registries.insecure_registries};
  return {std::move(capsule), std::move(source)};
}

/// Warm only where a pod waited, and in it a process that had loaded all.
deploy::RunStart start_of(const Manifest& manifest, const cluster::PodRun& done) {
  using Mode = deploy::RunStart::Mode;
  if (manifest.prewarm_replicas == 0)
    return {Mode::cold, "the manifest wants no waiting process: a pod was started for it"};
  const auto& agents = done.outcome.facts.start;
  if (agents.mode == Mode::cold && !agents.reason.empty()) return agents;
  return {Mode::warm, "a pod of the warm pool waited for it"};
}

bool wants_gpu(const Manifest& manifest) {
  return std::any_of(manifest.requirements.begin(), manifest.requirements.end(),
                     [](const Requirement& one) { return one.kind == Requirement::Kind::gpu && one.amount > 0; });
}

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
        m_ledger(order, *m_store, m_object) {
    give_back_on_termination({order.options.kubeconfig, order.options.context},
                             cluster::Turn::lease_name(m_ns, order.reference.name), m_holder);
  }

  void run() {
    try {
      deploy();
    } catch (const Error& error) {
      if (const auto deletion = deletion_behind(error, m_object)) throw *deletion;
      throw;
    }
  }

 private:
  void deploy() {
    const auto target = cluster::target_of(m_client, m_ns);
    const auto fetched = fetch(m_order, *m_store, m_step.progress());
    const auto& manifest = fetched.capsule.manifest();
    deploy::check_parameters(manifest, m_order.parameters);
    take_turn(fetched.capsule.capsule_digest());
    require_index_goes_on(m_order, m_object.known(), m_step.progress());
    cluster::RollOut roll_out{m_client, m_ns, m_object};
    take_over(roll_out, fetched.source.volume);
    check(manifest);
    const deploy::RunWish wish{fetched.capsule.capsule_digest(), target, m_order.parameters, m_order.options.budget,
                               m_order.options.seed};
    const auto replicas = m_ledger.is_done(wish) ? manifest.prewarm_replicas : std::max(1U, manifest.prewarm_replicas);
    roll_out.apply({fetched.capsule, m_check, fetched.source, m_order.options.images, m_order.reference.text(),
                    m_order.options.force_conflicts, asked(m_order.options, m_order.reference),
                    m_order.options.operator_mode, [this] { m_turn->keep(); }, [this] { give_turn_to_object(); }},
                   replicas);
    auto entry = m_ledger.begin(wish);
    m_step.output("run-id", entry.request.run_id());
    bool done = m_ledger.is_on_record(entry);
    if (!done) {
      // One that was killed between attaching the record and noting it here.
      const auto record = m_ledger.find_record(entry);
      done = record.has_value();
      if (done) note_run(wish, entry, start_in(*record));
      if (!done) make_run(fetched.capsule, roll_out, wish, entry);
    }
    if (replicas > manifest.prewarm_replicas) roll_out.end_pods();  // the pod was for this run alone
    finish(fetched.capsule, roll_out, done ? &entry : nullptr);
    m_step.output("run-record", entry.record->text());
    m_step.output("phase", done ? "AlreadyDone" : "Succeeded");
    m_turn.reset();
    m_step.result("api_calls", m_client.requests());
  }

  /// And reads the object in it. The lease of one that was deleted just now may go as we take it.
  void take_turn(const Digest& capsule) {
    do {
      m_turn.emplace(m_client, m_ns, m_order.reference.name, capsule, m_order.options.timeout, m_holder);
      m_object.read();
    } while (!m_turn->belong_to(m_object.lasting_owner()));
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
  void take_over(cluster::RollOut& roll_out, cluster::CapsuleVolume volume) {
    roll_out.look(volume == cluster::CapsuleVolume::download, {m_order.options.timeout, [this] { m_turn->keep(); }});
    m_object.learn_form();
    m_object.take_over(m_turn->number(), roll_out.highest_fence());
  }

  /// What runs on the nodes already; nothing where we may not see it.
  std::optional<cluster::Requested> requested(const Manifest& manifest) {
    if (!wants_gpu(manifest) || !m_order.options.gpu_claim.empty()) return std::nullopt;
    try {
      // A large cluster has very many pods.
      cluster::Requested sum;
      m_client.for_each(
          kube::resources::pods, {}, {.fields = "status.phase!=Succeeded,status.phase!=Failed"},
          [&](const json::Value& pod) { cluster::add_requested(pod, m_ns, manifest.name, sum); },
          [this] { m_turn->keep(); });
      return sum;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::denied) throw;
      return std::nullopt;
    }
  }

  void check(const Manifest& manifest) {
    std::vector<cluster::Node> nodes;
    for (const auto& node : m_client.list(kube::resources::nodes, {}).items)
      nodes.push_back(cluster::node_from(json::Cursor{node, "a node of the cluster"}));
    const auto taken = requested(manifest);
    std::optional<cluster::GpuClaim> claim;
    if (wants_gpu(manifest) && !m_order.options.gpu_claim.empty())
      claim = cluster::find_gpu_claim(m_client, m_ns, m_order.options.gpu_claim);
    cluster::PodDemand demand{manifest, m_order.options.allow_unmet, {},
                              {},       taken ? &*taken : nullptr,   claim ? &*claim : nullptr};
    if (const auto* object = m_object.known()) cluster::take_placement(*object, demand);
    m_check = cluster::check_nodes(demand, nodes, {m_order.trust, !m_order.options.key.empty()});
    m_step.output("waived", joined(m_check.report.waived));
    if (!m_check.report.unmet.empty())
      for (const auto& line : m_check.table()) log::info(line);
    m_check.report.require_all_met();
    if (!m_check.gpu_claim.empty()) log::info(m_check.said_of_claim);
  }

  /// `looks`: at each pod's ReplicaSet, a call for each.
  cluster::PodPool pool(const cluster::RollOut& roll_out, std::chrono::milliseconds time_limit, bool looks) {
    return {m_client,
            {.ns = m_ns,
             .name = m_order.reference.name,
             .pod_template = roll_out.pod_template_label(),
             .deployment = looks ? roll_out.uid() : std::string{},
             .deployed = roll_out.pods(),
             .time_limit = time_limit,
             .watts = m_order.options.watts,
             .on_wait = [this] { m_turn->keep(); }}};
  }

  /// Waits until a pod is up; puts back what was there where none comes up.
  void bring_up(cluster::PodPool& pods, cluster::RollOut& roll_out, const std::string& run_id) {
    try {
      pods.wait_until_ready(run_id);
    } catch (const Error& error) {
      if (!cluster::is_failed_roll_out(error, pods.trouble())) {
        if (error.kind() == ErrorKind::not_found && !run_id.empty()) note_failure(error, m_client, m_object);
        throw;
      }
      roll_out.put_back(error, pods.trouble() ? pods.trouble()->reason : "TimedOut");
      throw;
    }
  }

  void make_run(const VerifiedCapsule& capsule, cluster::RollOut& roll_out, const deploy::RunWish& wish,
                deploy::LedgerEntry& entry) {
    m_store->require_writable();  // a run whose record cannot be attached would be for nothing
    auto pods = pool(roll_out, m_order.options.timeout, true);
    bring_up(pods, roll_out, entry.request.run_id());
    m_object.change_status([&](json::Object& object) {
      deploy::set_pending(object, entry.request.run_id());
      deploy::set_warm(object, pods.waiting(), {});
      note_index(object);
    });
    const auto done = run_in_pod(pods, entry, roll_out, capsule.manifest().prewarm_replicas == 0);
    entry.text = record_of(capsule.manifest(), entry.request, done);
    entry.record = deploy::attach_run_record(*m_store, subject_of(*m_store, *m_order.reference.digest), entry.text);
    const bool was_warm = start_of(capsule.manifest(), done).mode == deploy::RunStart::Mode::warm;
    const std::string start = was_warm ? "warm" : "cold";
    note_run(wish, entry, start);
    cluster::tell(m_client, m_object.value(), cluster::EventType::normal, "Ran",
                  fmt::format("run {} is on record as {}", entry.request.run_id(), entry.record->text()));
    pods.discard(done.pod);
    m_step.result("start", start);
  }

  /// The run is on record.
  void note_run(const deploy::RunWish& wish, const deploy::LedgerEntry& entry, const std::string& start) {
    m_ledger.finish(wish, entry);
    m_object.change_status([&](json::Object& object) {
      deploy::set_ran(object, *entry.record, start);
      cluster::clear_failed_try(object);
    });
  }

  /// `is_for_this`: the pod is for this run alone, and not of a warm pool.
  cluster::PodRun run_in_pod(cluster::PodPool& pods, const deploy::LedgerEntry& entry, cluster::RollOut& roll_out,
                             bool is_for_this) {
    const auto others = pods.waiting() > 0 ? pods.waiting() - 1 : 0U;  // it runs once, and waits no more
    try {
      return pods.run(entry.request, [&](const cluster::PodState& pod) {
        m_object.change_status([&](json::Object& object) {
          deploy::set_warm(object, others, {});
          deploy::set_running(object);
          auto& last = deploy::member(deploy::member(object, "status"), "lastRun");
          last.set("pod", pod.name);
          last.set("node", pod.node);
        });
      });
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::capsule_failed)
        note_failed_run(error, m_client, m_object, entry.request, roll_out);
      else
        note_failure(error, m_client, m_object);
      // One that may still be at work, and be asked again, keeps its pod.
      if (is_for_this && (pods.has_failed_run() || !retry_helps(error.kind()))) roll_out.try_to_end_pods();
      throw;
    }
  }

  std::string record_of(const Manifest& manifest, const deploy::RunRequest& request, const cluster::PodRun& done) {
    auto facts = done.outcome.facts;
    facts.start = start_of(manifest, done);
    for (const auto& line : done.outcome.log) log::info("run: " + line);
    deploy::RunPlace place{done.pod.node, {}, {}, m_check.report.waived};
    if (const auto* node = m_check.find(done.pod.node)) place.identity = node->identity;
    if (!m_check.gpu_resource.empty()) place.gpus.push_back(m_check.gpu_resource);
    if (!m_check.gpu_claim.empty()) place.gpus.push_back("resourceclaimtemplate/" + m_check.gpu_claim);
    return deploy::run_record(manifest, request, facts, place);
  }

  /// The pool as the manifest wants it, and how many pods wait. `done`: the run, where it was on record before.
  void finish(const VerifiedCapsule& capsule, cluster::RollOut& roll_out, const deploy::LedgerEntry* done) {
    roll_out.note_fields();
    if (done != nullptr) cluster::mark_pods(m_client, m_object.value());
    std::optional<unsigned> waiting;
    const auto replicas = capsule.manifest().prewarm_replicas;
    if (replicas == 0)
      waiting = 0;
    else if (!(done != nullptr && roll_out.is_up()))
      waiting = done != nullptr ? brought_up(roll_out) : refilled(roll_out);
    m_object.change_status([&](json::Object& object) {
      if (done != nullptr) cluster::clear_failed_try(object, capsule.capsule_digest());
      if (done != nullptr && mend_status(object, *done) && !waiting && replicas > 0) waiting = replicas;
      if (waiting) note_waiting(object, *waiting);
      note_index(object);
      cluster::set_seen(object, m_object.applied());
    });
    if (m_order.index) m_order.index->warn_unless_noted(m_object.value());
  }

  static void note_waiting(json::Object& object, unsigned pods) {
    if (pods == 0) return deploy::set_warm(object, 0, {});
    deploy::member(object, "status").set("warmReplicas", pods);
    deploy::set_condition(object, {"Warm", true, "ProcessesWait"});
  }

  /// By which index the capsule was found: the next pod is not to be served an older one.
  void note_index(json::Object& object) const {
    if (m_order.index) m_order.index->note(object);
  }

  /// Makes a status that cannot be so again, of the record of the run. False: it can.
  bool mend_status(json::Object& object, const deploy::LedgerEntry& run) {
    const auto runs = cluster::RunBook::parse(m_object.annotation(cluster::annotation::runs));
    const auto fault = cluster::fault_of_status(json::Value{object}, runs);
    if (fault.empty()) return false;
    log::warning(fault + ": it is made again, as the record of the run has it");
    deploy::set_ran_before(object, recorded_run(*m_store, *run.record));
    return true;
  }

  /// There is nothing else to do than to bring the pods up.
  unsigned brought_up(cluster::RollOut& roll_out) {
    auto pods = pool(roll_out, m_order.options.timeout, roll_out.may_have_former_pods());
    bring_up(pods, roll_out, {});
    return pods.waiting();
  }

  unsigned refilled(const cluster::RollOut& roll_out) {
    auto pods = pool(roll_out, refill_patience, false);
    try {
      pods.wait_until_ready({});
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::not_found || error.kind() == ErrorKind::busy) throw;
      log::warning("the run is done, its warm pool is not filled again yet: " + error.message());
    }
    return pods.waiting();
  }

  const Order& m_order;
  step::Context& m_step;
  kube::Client m_client;
  std::string m_ns;
  const std::string m_holder = cluster::holder_name();
  std::unique_ptr<oci::Store> m_store;
  cluster::DeployedObject m_object;
  ClusterLedger m_ledger;
  cluster::ClusterCheck m_check;
  std::optional<cluster::Turn> m_turn;
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

void remove_from_cluster(const Options& options, const std::string& ns, step::Context& step) {
  const auto name = name_in(options.reference);
  kube::Client client{kube::load({options.kubeconfig, options.context})};
  const auto where = ns.empty() ? client.config().ns : ns;
  const auto holder = cluster::holder_name();
  give_back_on_termination({options.kubeconfig, options.context}, cluster::Turn::lease_name(where, name), holder);
  cluster::remove_deployment(client, where, name, options.timeout, holder);
  step.result("name", name);
  step.summary(fmt::format("nothing of {} is left in namespace {}\n", name, where));
}

}  // namespace deploy_step
