#include "cluster/agent_in_pod.hpp"

#include <fmt/format.h>

#include "cluster/names.hpp"
#include "core/error.hpp"
#include "json/lookup.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// How often the pod is looked at while it is at work: one that is deleted says nothing itself.
constexpr auto look_again = 2s;

std::string first_line(std::string_view text) {
  return printable(text.substr(0, text.find('\n')), 400);
}

json::Value answer_in(const http::Response& reply) {
  return json::parse(reply.body, "the agent's answer", {max_reply_bytes, 40});
}

}  // namespace

json::Value pool_of_agent(kube::Client& client, const kube::Name& pod, const std::function<void()>& on_wait) {
  try {
    return answer_in(client.proxy(pod, agent_port, {.path = "/v1/pool", .limit = 5s, .on_wait = on_wait}));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::busy) throw;  // of who waits
    log::debug(fmt::format("the agent in pod {} says nothing: {}", pod.name, error.message()));
  }
  return {};
}

std::string why_not_ready(const std::string& pod, const json::Value& pool) {
  // Nobody has asked for its health before.
  if (text_at(pool, "/phase") == "installing") {
    const auto said = text_at(pool, "/said");
    return fmt::format("pod {}: install.sh goes on: {}", pod,
                       said.empty() ? "it has said nothing on stderr" : first_line(said));
  }
  for (const auto* word : {"/illness", "/cold"})
    if (auto text = text_at(pool, word); !text.empty()) return fmt::format("pod {}: {}", pod, first_line(text));
  return {};
}

AgentInPod::AgentInPod(kube::Client& client, const std::string& ns, PodState pod, Limits limits)
    : m_client(client),
      m_name{kube::resources::pods, ns, pod.name},
      m_pod(std::move(pod)),
      m_limits(std::move(limits)) {}

/// Whether a run may still go on in it, reached or not.
bool AgentInPod::is_alive() const {
  const auto found = m_client.find(m_name);
  if (!found) return false;
  const auto now = pod_state(*found);
  return now.uid == m_pod.uid && !now.is_going && !now.trouble;
}

/// To be called about once a second while something is asked of it: ends that once it is gone.
std::function<void()> AgentInPod::while_alive() const {
  return [this, next_look = Clock::now() + look_again]() mutable {
    if (m_limits.on_wait) m_limits.on_wait();
    if (Clock::now() < next_look) return;
    next_look = Clock::now() + look_again;
    if (!is_alive()) throw Error{ErrorKind::unavailable, fmt::format("pod {} has ended or was deleted", m_name.name)};
  };
}

/// Where the run may go on, another pod would do all of it again: this one is found by its annotation the next time. A
/// pod that ends may take its connections with it without a word.
bool AgentInPod::is_of_no_use_after(const Error& error) const {
  const auto kind = error.kind();
  if (kind == ErrorKind::unavailable || kind == ErrorKind::timed_out) return !is_alive();
  return kind != ErrorKind::denied && dynamic_cast<const kube::ApiError*>(&error) != nullptr;
}

/// Where no answer comes it may have begun the run all the same: then its word on that run.
http::Response AgentInPod::begin(const kube::PodRequest& post, const kube::PodRequest& get) {
  try {
    return m_client.proxy(m_name, agent_port, post);
  } catch (const kube::ApiError& error) {
    if (!retry_helps(error.kind())) throw;
    log::warning(fmt::format("{}: asking whether the run is begun", error.message()));
    return m_client.proxy(m_name, agent_port, get);
  }
}

AgentInPod::Answer AgentInPod::await_outcome(const kube::PodRequest& post, const kube::PodRequest& get) {
  const auto deadline = Clock::now() + m_limits.run + m_limits.grace;
  auto reply = begin(post, get);
  while (true) {
    if (reply.status == 503 || reply.status == 404) {
      log::warning(fmt::format("pod {} takes no run: {}", m_name.name, first_line(reply.body)));
      return {Answer::Kind::of_no_use};
    }
    http::expect_success(reply, "the agent in pod " + m_name.name);
    const auto value = answer_in(reply);
    if (const auto* outcome = value.at_pointer("/outcome"); outcome != nullptr)
      return {Answer::Kind::outcome, *outcome};
    if (Clock::now() > deadline) return {Answer::Kind::not_in_time};
    reply = m_client.proxy(m_name, agent_port, get);
  }
}

AgentInPod::Answer AgentInPod::run(const deploy::RunRequest& request) {
  const auto path = "/v1/runs/" + request.run_id();
  auto input = request.input();
  input.if_object()->set("time_limit_ms", std::int64_t{m_limits.run.count()});
  const kube::PodRequest post{.method = http::Method::post,
                              .path = path,
                              .body = json::compact(input),
                              .content_type = "application/json",
                              .idempotent = true,
                              .on_wait = while_alive()};
  const kube::PodRequest get{.path = path + "?wait_ms=20000", .limit = 40s, .on_wait = post.on_wait};
  try {
    return await_outcome(post, get);
  } catch (const Error& error) {
    if (!is_of_no_use_after(error)) throw;
    log::warning(fmt::format("pod {} cannot be reached: {}", m_name.name, error.message()));
    return {Answer::Kind::of_no_use};
  }
}

}  // namespace capsule::cluster
