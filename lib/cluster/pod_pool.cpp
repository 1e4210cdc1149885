#include "cluster/pod_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int max_pods_tried = 4;
/// How often the Deployment is looked at while it has no pod, and a pod while it is at work: one that is deleted says
/// nothing itself.
constexpr auto look_again = 2s;

std::string first_line(std::string_view text) {
  return printable(text.substr(0, text.find('\n')), 400);
}

}  // namespace

/// The pods as a watch shows them.
class PodPool::Look {
 public:
  Look(std::string run_id, PoolMembers& members) : m_run_id(std::move(run_id)), m_members(members) {}

  void take(const kube::Event& event) {
    if (event.kind == kube::EventKind::listed) {
      m_pods.clear();
      for (const auto& pod : event.list.items) put(pod);
    } else if (event.kind == kube::EventKind::deleted) {
      m_pods.erase(text_at(event.object, "/metadata/name"));
    } else {
      put(event.object);
    }
  }

  /// The pod that has this run, else one that is ready for it.
  [[nodiscard]] std::optional<PodState> usable() const {
    std::optional<PodState> out;
    for (const auto& [name, pod] : m_pods) {
      if (pod.is_going) continue;
      if (!m_run_id.empty() && pod.run == m_run_id) return pod;
      if (pod.is_ready && pod.run.empty()) out = pod;
    }
    return out;
  }
  [[nodiscard]] unsigned waiting() const {
    unsigned out = 0;
    for (const auto& [name, pod] : m_pods)
      out += static_cast<unsigned>(pod.is_ready && pod.run.empty() && !pod.is_going);
    return out;
  }
  /// Pods that another run has claimed. One deploy at a time: whoever claimed them is gone.
  [[nodiscard]] std::vector<PodState> left_over() const {
    std::vector<PodState> out;
    for (const auto& [name, pod] : m_pods)
      if (!pod.is_going && !pod.run.empty() && pod.run != m_run_id) out.push_back(pod);
    return out;
  }
  /// Pods that nobody has claimed, and that are not ready all the same.
  [[nodiscard]] std::vector<PodState> unclaimed() const {
    std::vector<PodState> out;
    for (const auto& [name, pod] : m_pods)
      if (pod.is_running && !pod.is_going && !pod.is_ready && pod.run.empty()) out.push_back(pod);
    return out;
  }
  /// No pod that will come up.
  [[nodiscard]] bool is_empty() const {
    return std::all_of(m_pods.begin(), m_pods.end(), [](const auto& entry) { return entry.second.is_going; });
  }
  /// One that is not ready; empty: there is none.
  [[nodiscard]] std::string unready() const {
    for (const auto& [name, pod] : m_pods)
      if (!pod.is_going && !pod.is_ready) return name;
    return {};
  }
  [[nodiscard]] std::optional<Trouble> trouble() const {
    for (const auto& [name, pod] : m_pods)
      if (!pod.is_going && pod.trouble) return pod.trouble;
    return std::nullopt;
  }

 private:
  void put(const json::Value& pod) {
    if (!m_members.has(pod)) return;
    auto state = pod_state(pod);
    m_pods.insert_or_assign(state.name, std::move(state));
  }
  std::string m_run_id;
  PoolMembers& m_members;
  std::map<std::string, PodState> m_pods;
};

PodState PodPool::wait_until_ready(const std::string& run_id) {
  m_trouble.reset();
  Look look{run_id, m_members};
  std::optional<PodState> found;
  std::optional<Clock::time_point> in_trouble;
  auto next_look = Clock::now() + look_again;
  auto next_question = Clock::now() + 5s;
  const auto judge = [&] {
    if (look.is_empty() && Clock::now() > next_look) {
      // No pod is made at all: the reason stands at the Deployment, not at a pod.
      next_look = Clock::now() + look_again;
      m_trouble = trouble_of_making();
    } else if (!look.is_empty()) {
      m_trouble = look.trouble();
    }
    if (!m_trouble) return in_trouble.reset();
    if (!in_trouble) in_trouble = Clock::now();
    // At the Deployment a refusal of its former pods stands until their ReplicaSet has been asked for none.
    const auto patience = m_trouble->may_pass ? m_wish.patience : look.is_empty() ? look_again : 0ms;
    if (Clock::now() >= *in_trouble + patience) throw m_trouble->error();
  };
  const kube::WatchOptions options{
      .selection = {.labels = fmt::format("app={},{}={}", m_wish.name, label::pod_template, m_wish.pod_template)},
      .time_limit = m_wish.time_limit,
      .on_wait = [&] {
        if (m_wish.on_wait) m_wish.on_wait();
        judge();
        if (Clock::now() < next_question) return;
        for (const auto& pod : look.unclaimed()) discard_used(pod);
        next_question = Clock::now() + 5s;
      }};
  const auto end = m_client.watch(kube::resources::pods, m_wish.ns, options, [&](const kube::Event& event) {
    look.take(event);
    m_waiting = look.waiting();
    found = look.usable();
    if (found) return kube::Flow::stop;
    for (const auto& pod : look.left_over()) discard(pod);
    judge();
    return kube::Flow::go_on;
  });
  if (found) return *found;
  if (m_trouble) throw m_trouble->error();
  static_cast<void>(end);
  const auto words = words_of_agent(look.unready());
  throw Error{
      ErrorKind::timed_out,
      fmt::format("no pod of {} in namespace {} was ready within {}: {}", deployment_name(m_wish.name), m_wish.ns,
                  human_duration(m_wish.time_limit), words.empty() ? "see kubectl describe" : words)};
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

/// What the agent in a pod says of itself; null where it says nothing.
json::Value PodPool::pool_in(const std::string& pod) {
  try {
    const kube::PodRequest get{.path = "/v1/pool", .limit = 5s, .on_wait = m_wish.on_wait};
    const auto reply = m_client.proxy({kube::resources::pods, m_wish.ns, pod}, agent_port, get);
    return json::parse(reply.body, "the agent's answer", {max_reply_bytes, 40});
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::busy) throw;  // of who waits
    log::debug(fmt::format("the agent in pod {} says nothing: {}", pod, error.message()));
  }
  return {};
}

/// One that has made a run of somebody who claimed no pod: whoever reaches its port can ask for that. It takes no
/// other.
void PodPool::discard_used(const PodState& pod) {
  if (text_at(pool_in(pod.name), "/phase") != "used") return;
  log::warning(fmt::format("pod {} has made a run that no deploy has claimed it for: it is replaced", pod.name));
  discard(pod);
}

/// What the agent in a pod says of why it takes no run; nothing where it says nothing.
std::string PodPool::words_of_agent(const std::string& pod) {
  if (pod.empty()) return {};
  const auto value = pool_in(pod);
  // Nobody has asked for its health before.
  if (text_at(value, "/phase") == "installing") return fmt::format("pod {}: install.sh goes on", pod);
  for (const auto* word : {"/illness", "/cold"}) {
    if (auto text = text_at(value, word); !text.empty()) return fmt::format("pod {}: {}", pod, first_line(text));
  }
  return {};
}

bool PodPool::claim(PodState& pod, const std::string& run_id) {
  if (pod.run == run_id) return true;
  json::Object marks{{std::string{annotation::run}, run_id},
                     {std::string{annotation::deletion_cost}, "2147483647"},
                     {std::string{annotation::safe_to_evict}, "false"}};
  const json::Object patch{
      {"metadata", json::Object{{"resourceVersion", pod.version}, {"annotations", std::move(marks)}}}};
  try {
    pod = pod_state(m_client.patch({kube::resources::pods, m_wish.ns, pod.name}, kube::PatchKind::merge, patch));
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict && error.kind() != ErrorKind::not_found) throw;
    return false;
  }
}

/// Whether a run may still go on in it, reached or not.
bool PodPool::is_alive(const PodState& pod) {
  const auto found = m_client.find({kube::resources::pods, m_wish.ns, pod.name});
  if (!found) return false;
  const auto now = pod_state(*found);
  return now.uid == pod.uid && !now.is_going && !now.trouble;
}

/// To be called about once a second while something is asked of it: ends that once it is gone.
std::function<void()> PodPool::while_alive(const PodState& pod) {
  return [this, pod, next_look = Clock::now() + look_again]() mutable {
    if (m_wish.on_wait) m_wish.on_wait();
    if (Clock::now() < next_look) return;
    next_look = Clock::now() + look_again;
    if (!is_alive(pod)) throw Error{ErrorKind::unavailable, fmt::format("pod {} has ended or was deleted", pod.name)};
  };
}

/// Where the run may go on, another pod would do all of it again: this one is found by its annotation the next time. A
/// pod that ends may take its connections with it without a word.
bool PodPool::is_of_no_use_after(const Error& error, const PodState& pod) {
  const auto kind = error.kind();
  if (kind == ErrorKind::unavailable || kind == ErrorKind::timed_out) return !is_alive(pod);
  return kind != ErrorKind::denied && dynamic_cast<const kube::ApiError*>(&error) != nullptr;
}

/// The agent's answer to the claim. Where none comes it may have begun the run all the same: then its word on that run.
http::Response PodPool::claim_run(const kube::Name& pod, const kube::PodRequest& post, const kube::PodRequest& get) {
  try {
    return m_client.proxy(pod, agent_port, post);
  } catch (const kube::ApiError& error) {
    if (!retry_helps(error.kind())) throw;
    log::warning(fmt::format("{}: asking whether the run is begun", error.message()));
    return m_client.proxy(pod, agent_port, get);
  }
}

/// Nothing where the pod is of no use: it is gone, or no process waits in it.
std::optional<json::Value> PodPool::ask(const PodState& pod, const deploy::RunRequest& request) {
  const kube::Name name{kube::resources::pods, m_wish.ns, pod.name};
  const auto path = "/v1/runs/" + request.run_id();
  auto input = request.input();
  input.if_object()->set("time_limit_ms", std::int64_t{m_wish.time_limit.count()});
  kube::PodRequest post{.method = http::Method::post,
                        .path = path,
                        .body = json::compact(input),
                        .content_type = "application/json",
                        .idempotent = true,
                        .on_wait = while_alive(pod)};
  const kube::PodRequest get{.path = path + "?wait_ms=20000", .limit = 40s, .on_wait = post.on_wait};
  const auto deadline = Clock::now() + m_wish.time_limit + m_wish.grace;
  try {
    auto reply = claim_run(name, post, get);
    while (true) {
      if (reply.status == 503 || reply.status == 404) {
        log::warning(fmt::format("pod {} takes no run: {}", pod.name, first_line(reply.body)));
        return std::nullopt;
      }
      http::expect_success(reply, "the agent in pod " + pod.name);
      const auto value = json::parse(reply.body, "the agent's answer", {max_reply_bytes, 40});
      if (const auto* outcome = value.at_pointer("/outcome"); outcome != nullptr) return *outcome;
      if (Clock::now() > deadline) break;
      reply = m_client.proxy(name, agent_port, get);
    }
  } catch (const Error& error) {
    if (!is_of_no_use_after(error, pod)) throw;
    log::warning(fmt::format("pod {} cannot be reached: {}", pod.name, error.message()));
    return std::nullopt;
  }
  give_up(pod);
  throw Error{ErrorKind::timed_out, fmt::format("the agent in pod {} has not ended the run within {}", pod.name,
                                                human_duration(m_wish.time_limit + m_wish.grace))};
}

PodRun PodPool::run(const deploy::RunRequest& request, const std::function<void(const PodState&)>& on_claim) {
  for (int tried = 0; tried < max_pods_tried;) {
    auto pod = wait_until_ready(request.run_id());
    if (!claim(pod, request.run_id())) continue;
    on_claim(pod);
    const auto outcome = ask(pod, request);
    if (!outcome) {
      ++tried;
      discard(pod);
      continue;
    }
    try {
      return {deploy::outcome_from(json::Cursor{*outcome, "the agent's answer"}, m_wish.watts), pod};
    } catch (const Error& error) {
      const auto trouble = trouble_of(pod);
      give_up(pod);
      if (trouble.empty()) throw;
      throw Error{error.kind(), fmt::format("{} ({})", error.message(), trouble)};
    }
  }
  throw Error{ErrorKind::unavailable,
              fmt::format("{} pods of {} took no run, one after the other: see kubectl logs of them", max_pods_tried,
                          deployment_name(m_wish.name))};
}

/// What the pod's status says of it, as that its container ended for want of memory: all that is known of a run whose
/// agent had to be started anew.
std::string PodPool::trouble_of(const PodState& pod) {
  const auto found = m_client.find({kube::resources::pods, m_wish.ns, pod.name});
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
    m_client.remove({kube::resources::pods, m_wish.ns, pod.name}, {.uid = pod.uid});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict && error.kind() != ErrorKind::not_found) throw;
  }
}

}  // namespace capsule::cluster
