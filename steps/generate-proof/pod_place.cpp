#include "pod_place.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <mutex>

#include "cluster/names.hpp"
#include "cluster/proof_setting.hpp"
#include "cluster/proof_turn.hpp"
#include "cluster/single_pod.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "deploy/run_outcome.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "kube/client.hpp"
#include "log/log.hpp"
#include "made_proof.hpp"
#include "step/run.hpp"

namespace generate_proof {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view hook_purpose = "hook";
constexpr unsigned most_runs = 2;
/// Until the images are there, the capsule is downloaded and install.sh is done.
constexpr std::chrono::milliseconds start_limit = 15min;
/// For a GPU that others have.
constexpr std::chrono::milliseconds gpu_patience = 5min;
/// How long past its time limit an agent may say that something goes on.
constexpr std::chrono::milliseconds grace = 2min;

std::string purpose_of_run(unsigned number) {
  return fmt::format("run-{}", number);
}

std::uint64_t size_of_files(const fs::Path& folder) {
  std::uint64_t out = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
    if (entry.is_regular_file()) out += entry.file_size();
  return out;
}

cluster::CapsuleSource source_of(const ClusterChoice& choice, const PodTask& task) {
  const auto& registry = task.reference.registry;
  auto reference = task.reference;
  reference.digest = task.capsule.published.index.digest;
  return {choice.volume, reference.text(),
          fmt::format("{}/{}@{}", registry.host(), registry.repository(reference.name),
                      task.capsule.published.package_manifest.digest.text()),
          size_of_files(task.capsule.unpacked.root()), choice.insecure_registries};
}

/// What a relay says of its last request; nothing where it is well, or does not answer.
std::optional<Error> failure_of_relay(cluster::SinglePod& pod) {
  try {
    const auto value = json::parse(pod.get(cluster::relay_status_port, "/failure"), "the relay's answer");
    const auto* failure = value.at_pointer("/failure");
    if (failure == nullptr || failure->is_null()) return std::nullopt;
    const json::Cursor said{*failure, "the relay's answer"};
    for (const auto kind : {ErrorKind::unavailable, ErrorKind::timed_out, ErrorKind::busy, ErrorKind::denied})
      if (said.at("kind").string() == name_of(kind)) return Error{kind, said.at("message").string()};
  } catch (const Error& error) {
    log::warning("the hook's relay does not say how it fared: " + error.message());
  }
  return std::nullopt;
}

/// The log, and what was missing of the confinement beside namespaces: the pod's own are there. A failure is thrown.
void note(const json::Value& outcome) {
  const json::Cursor said{outcome, "the agent's answer"};
  if (const auto failure = said.optional("failure");
      failure && failure->at("kind").string() == name_of(ErrorKind::unmet_requirement)) {
    throw Error{ErrorKind::unmet_requirement,
                fmt::format("the proof hook's pod is on a node that cannot hold it: {}; newer nodes mend that, and "
                            "--allow-hook-network runs it all the same",
                            printable(failure->at("message").string(), 600))};
  }
  deploy::throw_failure(said);
  for (const auto& line : said.at("log").elements()) log::info("hook: " + printable(line.string(), 400));
  for (const auto& part : said.at("missing").elements())
    if (part.string().find("-namespace:") == std::string::npos)
      log::warning("the proof hook ran without a part of its confinement", {{"part", printable(part.string())}});
}

}  // namespace

/// What the termination's thread needs too.
struct PodPlace::Cluster {
  Cluster(const ClusterChoice& given, const Digest& record)
      : choice(given),
        client(kube::load({given.kubeconfig, given.context})),
        lease_client(kube::load({given.kubeconfig, given.context})),
        ns(given.ns.empty() ? client.config().ns : given.ns),
        run_record(record) {}

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector out{cluster::proof_pod_name(run_record, hook_purpose)};
    for (unsigned i = 1; i <= most_runs; ++i) out.push_back(cluster::proof_pod_name(run_record, purpose_of_run(i)));
    return out;
  }

  /// By a client of its own, on another thread. Keeps the lock: the process ends, and must make no pod any more.
  void end_all() {
    creating.lock();
    if (is_over) return;
    try {
      kube::Client other{kube::load({choice.kubeconfig, choice.context})};
      for (const auto& name : names()) other.remove({kube::resources::pods, ns, name});
      if (turn) turn->give_back();
    } catch (const std::exception& error) {
      log::warning(fmt::format("pods of this proof may be left over: {}", error.what()));
    }
  }

  ClusterChoice choice;
  kube::Client client;
  kube::Client lease_client;
  std::string ns;
  Digest run_record;
  cluster::ProofSetting setting;
  std::optional<cluster::ProofTurn> turn;
  std::mutex creating;
  bool is_over = false;
};

PodPlace::PodPlace(const ClusterChoice& choice, PodTask task)
    : m_task(std::move(task)), m_cluster(std::make_shared<Cluster>(choice, m_task.run_record)) {
  auto& [choice_, client, lease_client, ns, run_record, setting, turn, creating, is_over] = *m_cluster;
  // Nothing is ended before it is certain that nobody else is at work with it.
  do {
    turn.reset();
    turn.emplace(lease_client, ns, run_record, m_task.patience);
    setting = cluster::find_proof_setting(client, ns, m_task.capsule.unpacked.capsule.manifest(), choice.volume);
  } while (!turn->belong_to(setting.owner));
  step::on_termination([cluster = m_cluster] { cluster->end_all(); });
  try {
    for (const auto& name : m_cluster->names()) cluster::end_pod(client, ns, name);
  } catch (...) {
    turn.reset();  // what is to be called on termination keeps the rest alive
    throw;
  }
}

PodPlace::~PodPlace() {
  const std::lock_guard lock{m_cluster->creating};
  m_cluster->is_over = true;
  m_cluster->turn.reset();
}

/// One pod, ready.
class PodPlace::Pod {
 public:
  Pod(const PodPlace& place, const std::string& purpose, std::vector<std::string> agent_arguments,
      std::optional<cluster::RelayWish> relay = {}) {
    auto& [choice, client, lease_client, ns, run_record, setting, turn, creating, is_over] = *place.m_cluster;
    const auto& capsule = place.m_task.capsule.unpacked.capsule;
    const auto lifetime = std::chrono::ceil<std::chrono::seconds>(start_limit + place.m_task.time_limit + grace);
    cluster::PodWish wish{capsule.manifest(), capsule.capsule_digest(), source_of(choice, place.m_task), choice.images};
    wish.agent_arguments = std::move(agent_arguments);
    wish.passed_on = setting.passed_on;
    wish.waived = place.m_task.waived;
    // The hook searches for a proof, it does not run the capsule.
    const auto gpus = purpose == hook_purpose ? cluster::PodGpus{} : setting.gpus;
    auto pod =
        cluster::proof_pod({std::move(wish), run_record, purpose, lifetime, std::move(relay), gpus, setting.owner});
    const auto name = cluster::proof_pod_name(run_record, purpose);
    cluster::SinglePod::Wish made{.ns = ns, .pod = std::move(pod), .start_limit = start_limit};
    made.before = place.m_cluster->names();
    std::erase(made.before, name);
    if (!gpus.empty()) made.patience = gpu_patience;
    turn->require();
    try {
      m_pod.emplace(client, std::move(made), creating);
      log::info("the capsule's code runs in a pod", {{"pod", name}});
      m_pod->wait_until_ready();
    } catch (const Error& error) {
      if (gpus.empty() || error.kind() != ErrorKind::unavailable) throw;
      throw Error{error.kind(), error.message() + cluster::who_holds_gpus(client, ns, capsule.manifest().name)};
    }
  }
  cluster::SinglePod* operator->() { return &*m_pod; }
  cluster::SinglePod& operator*() { return *m_pod; }

 private:
  std::optional<cluster::SinglePod> m_pod;
};

std::vector<std::string> PodPlace::relay_command(const HookWish& wish, proof::ProofService& service) const {
  std::vector<std::string> out{"/usr/local/bin/capsule-generate-proof",
                               "relay",
                               fmt::format("--listen=127.0.0.1:{}", cluster::relay_port),
                               fmt::format("--status=0.0.0.0:{}", cluster::relay_status_port),
                               "--proof-hash=" + wish.proof_hash.text(),
                               "--utid=" + wish.utid};
  if (m_task.service) {
    out.push_back("--proof-service=" + m_task.service->text());
    out.push_back(fmt::format("--proof-api-key-file={}", cluster::api_key_file));
    for (const auto& host : m_cluster->choice.insecure_services) out.push_back("--insecure-proof-service=" + host);
  }
  if (wish.known)
    out.push_back("--proof-id=" + wish.known->proof_id);
  else if (!m_task.service)
    out.push_back("--proof-id=" + made_proof(service, wish.proof_hash, m_task.capsule.unpacked.facts.policy.types));
  return out;
}

HookAnswer PodPlace::ask_hook(const HookWish& wish, proof::ProofService& service) {
  std::vector<std::string> arguments{"--hook=" + m_task.capsule.hook, fmt::format("--way-out={}", cluster::relay_port)};
  if (m_cluster->choice.allow_hook_network) arguments.emplace_back("--allow-hook-network");
  Pod pod{*this, std::string{hook_purpose}, std::move(arguments),
          cluster::RelayWish{m_cluster->choice.relay_image, relay_command(wish, service)}};
  const kube::PodRequest post{
      .method = http::Method::post,
      .path = fmt::format("/v1/hook?utid={}&proof_hash={}&claims_digest={}&time_limit_ms={}", wish.utid,
                          wish.proof_hash.text(), wish.claims_digest.text(), m_task.time_limit.count()),
      .body = wish.run_record,
      .content_type = "application/octet-stream",
      .idempotent = true};
  try {
    const auto outcome = pod->outcome_of(post, m_task.time_limit + grace);
    note(outcome);
    const auto proof = pod->get(cluster::agent_port, "/v1/hook/proof");
    const json::Cursor said{outcome, "the agent's answer"};
    if (crypto::sha256(proof).text() != said.at("proof").at("digest").string())
      throw Error{ErrorKind::unavailable, "proof.json did not come whole from the hook's pod"};
    return parse_answer(proof, m_task.capsule.hook);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::capsule_failed) throw;
    throw_as_served(error, failure_of_relay(*pod));
  }
}

json::Value PodPlace::run(const deploy::RunRequest& request) {
  Pod pod{*this, purpose_of_run(++m_runs), {"--replicas=0", "--runs=1"}};
  auto input = request.input();
  input.if_object()->set("time_limit_ms", std::int64_t{m_task.time_limit.count()});
  const kube::PodRequest post{.method = http::Method::post,
                              .path = "/v1/runs/" + request.run_id(),
                              .body = json::compact(input),
                              .content_type = "application/json",
                              .idempotent = true};
  const auto outcome = pod->outcome_of(post, m_task.time_limit + grace);
  return deploy::outcome_from(json::Cursor{outcome, "the agent's answer"}, 0).facts.result;
}

deploy::FreshRun PodPlace::fresh_run() {
  return [this](const deploy::RunRequest& request) { return run(request); };
}

}  // namespace generate_proof
