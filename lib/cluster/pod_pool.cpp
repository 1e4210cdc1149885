#include "cluster/pod_pool.hpp"

#include <fmt/format.h>

#include "cluster/agent_in_pod.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/pod_look.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int max_pods_tried = 4;
/// How often the Deployment is looked at while it has no pod.
constexpr auto look_again = 2s;
/// How often the agents of pods that are not ready are asked why.
constexpr auto ask_again = 5s;

}  // namespace

/// One wait for a pod that is ready.
class PodPool::Wait {
 public:
  Wait(PodPool& pool, const std::string& run_id) : m_pool(pool), m_look(run_id, pool.m_members) {}

  kube::Flow take(const kube::Event& event) {
    m_look.take(event);
    m_pool.m_waiting = m_look.waiting();
    m_found = m_look.usable();
    if (m_found) {
      m_pool.m_trouble = m_look.trouble();
      return kube::Flow::stop;
    }
    for (const auto& pod : m_look.left_over()) m_pool.discard(pod);
    judge();
    return kube::Flow::go_on;
  }
  /// To be called about once a second.
  void go_on() {
    if (m_pool.m_wish.on_wait) m_pool.m_wish.on_wait();
    judge();
    if (Clock::now() < m_next_question) return;
    for (const auto& pod : m_look.unclaimed()) m_pool.discard_used(pod);
    m_next_question = Clock::now() + ask_again;
  }
  [[nodiscard]] const std::optional<PodState>& found() const noexcept { return m_found; }
  [[nodiscard]] std::optional<PodState> unready() const { return m_look.unready(); }

 private:
  /// Error: the trouble that keeps pods from coming up, once it has lasted too long to pass by itself.
  void judge() {
    auto& trouble = m_pool.m_trouble;
    if (!m_look.is_empty()) {
      trouble = m_look.trouble();
    } else if (Clock::now() > m_next_look) {
      // No pod is made at all: the reason stands at the Deployment, not at a pod.
      m_next_look = Clock::now() + look_again;
      trouble = m_pool.trouble_of_making();
    }
    if (!trouble) return m_in_trouble.reset();
    if (!m_in_trouble) m_in_trouble = Clock::now();
    if (Clock::now() >= *m_in_trouble + patience_with(*trouble)) throw trouble->error();
  }

  [[nodiscard]] std::chrono::milliseconds patience_with(const Trouble& trouble) const {
    if (trouble.may_pass) return m_pool.m_wish.patience;
    // At the Deployment a refusal of its former pods stands until their ReplicaSet has been asked for none.
    return m_look.is_empty() ? look_again : 0s;
  }

  PodPool& m_pool;
  PodLook m_look;
  std::optional<PodState> m_found;
  std::optional<Clock::time_point> m_in_trouble;  ///< since when
  Clock::time_point m_next_look = Clock::now() + look_again;
  Clock::time_point m_next_question = Clock::now() + ask_again;
};

kube::Name PodPool::name_of(const std::string& pod) const {
  return {kube::resources::pods, m_wish.ns, pod};
}

PodState PodPool::wait_until_ready(const std::string& run_id) {
  m_trouble.reset();
  Wait wait{*this, run_id};
  const kube::WatchOptions options{
      .selection = {.labels = fmt::format("app={},{}={}", m_wish.name, label::pod_template, m_wish.pod_template)},
      .time_limit = m_wish.time_limit,
      .on_wait = [&] { wait.go_on(); }};
  static_cast<void>(m_client.watch(kube::resources::pods, m_wish.ns, options,
                                   [&](const kube::Event& event) { return wait.take(event); }));
  if (wait.found()) return *wait.found();
  if (m_trouble) throw m_trouble->error();
  const auto pod = wait.unready();
  throw Error{
      ErrorKind::timed_out,
      fmt::format("no pod of {} in namespace {} was ready within {}: {}", deployment_name(m_wish.name), m_wish.ns,
                  human_duration(m_wish.time_limit), pod ? words_of(*pod) : "there is none, see kubectl describe")};
}

/// Why a pod is not ready that shows no trouble: as its agent says or, where none answers, where it was sent.
std::string PodPool::words_of(const PodState& pod) {
  auto words = why_not_ready(pod.name, pool_of_agent(m_client, name_of(pod.name), m_wish.on_wait));
  if (!words.empty()) return words;
  if (pod.node.empty()) return fmt::format("pod {} has no node yet, see kubectl describe", printable(pod.name));
  return fmt::format("pod {} has not come up on node {}, see kubectl describe of both", printable(pod.name),
                     printable(pod.node));
}

/// What the Deployment says of why it makes no pod.
std::optional<Trouble> PodPool::trouble_of_making() {
  const kube::Name name{kube::resources::deployments, m_wish.ns, deployment_name(m_wish.name)};
  const auto deployment = m_client.find(name);
  const bool is_there = deployment && text_at(*deployment, "/metadata/deletionTimestamp").empty();
  if (!is_there || (!m_wish.deployment.empty() && text_at(*deployment, "/metadata/uid") != m_wish.deployment))
    throw Error{ErrorKind::not_found,
                fmt::format("the {} was deleted while it was deployed: the next deploy makes it again", text_of(name))};
  return trouble_of_deployment(*deployment);
}

/// One that has made a run of somebody who claimed no pod: whoever reaches its port can ask for that. It takes no
/// other.
void PodPool::discard_used(const PodState& pod) {
  if (text_at(pool_of_agent(m_client, name_of(pod.name), m_wish.on_wait), "/phase") != "used") return;
  log::warning(fmt::format("pod {} has made a run that no deploy has claimed it for: it is replaced", pod.name));
  discard(pod);
}

bool PodPool::claim(PodState& pod, const std::string& run_id) {
  if (pod.run == run_id) return true;
  json::Object marks{{std::string{annotation::run}, run_id},
                     {std::string{annotation::deletion_cost}, "2147483647"},
                     {std::string{annotation::safe_to_evict}, "false"}};
  const json::Object patch{
      {"metadata", json::Object{{"resourceVersion", pod.version}, {"annotations", std::move(marks)}}}};
  try {
    pod = pod_state(m_client.patch(name_of(pod.name), kube::PatchKind::merge, patch));
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict && error.kind() != ErrorKind::not_found) throw;
    return false;
  }
}

PodRun PodPool::run(const deploy::RunRequest& request, const std::function<void(const PodState&)>& on_claim) {
  using Kind = AgentInPod::Answer::Kind;
  for (int tried = 0; tried < max_pods_tried;) {
    auto pod = wait_until_ready(request.run_id());
    if (!claim(pod, request.run_id())) continue;
    on_claim(pod);
    AgentInPod agent{m_client, m_wish.ns, pod, {m_wish.time_limit, m_wish.grace, m_wish.on_wait}};
    const auto answer = agent.run(request);
    if (answer.kind == Kind::outcome) return outcome_in(answer.outcome, pod);
    if (answer.kind == Kind::not_in_time) {
      give_up(pod);
      throw Error{ErrorKind::timed_out, fmt::format("the agent in pod {} has not ended the run within {}", pod.name,
                                                    human_duration(m_wish.time_limit + m_wish.grace))};
    }
    ++tried;
    discard(pod);
  }
  throw Error{ErrorKind::unavailable,
              fmt::format("{} pods of {} took no run, one after the other: see kubectl logs of them", max_pods_tried,
                          deployment_name(m_wish.name))};
}

/// Error: the run has failed.
PodRun PodPool::outcome_in(const json::Value& answer, const PodState& pod) {
  try {
    return {deploy::outcome_from(json::Cursor{answer, "the agent's answer"}, m_wish.watts), pod};
  } catch (const Error& error) {
    const auto trouble = trouble_of(pod);
    give_up(pod);
    if (trouble.empty()) throw;
    throw Error{error.kind(), fmt::format("{} ({})", error.message(), trouble)};
  }
}

/// What the pod's status says of it, as that its container ended for want of memory: all that is known of a run whose
/// agent had to be started anew.
std::string PodPool::trouble_of(const PodState& pod) {
  const auto found = m_client.find(name_of(pod.name));
  const auto now = found ? pod_state(*found) : PodState{};
  return now.uid == pod.uid && now.trouble ? now.trouble->text : std::string{};
}

/// The run has failed in it: a retry gets a pod that knows nothing of it.
void PodPool::give_up(const PodState& pod) {
  m_has_failed_run = true;
  discard(pod);
}

void PodPool::discard(const PodState& pod) {
  try {
    m_client.remove(name_of(pod.name), {.uid = pod.uid});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict && error.kind() != ErrorKind::not_found) throw;
  }
}

}  // namespace capsule::cluster
