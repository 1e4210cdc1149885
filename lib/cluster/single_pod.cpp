#include "cluster/single_pod.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "core/time.hpp"
#include "http/client.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

using namespace std::chrono_literals;

constexpr auto look_again = 250ms;
constexpr auto make_again = 1s;

Error not_made(const std::string& name, const kube::ApiError& error) {
  const auto& words = error.status().message;
  if (words.find("exceeded quota") != std::string::npos)
    return Error{ErrorKind::unavailable,
                 fmt::format("pod {} is not made, its quota is used up: {}", name, error.message())};
  if (words.find("violates PodSecurity") != std::string::npos)
    return Error{ErrorKind::denied,
                 fmt::format("pod {} is not made, the pod security standard of the namespace refuses it: {}", name,
                             error.message())};
  if (error.status().reason == "AlreadyExists")
    return Error{ErrorKind::busy, fmt::format("there is a pod {} already: another proof of this run is at work", name)};
  return Error{error.kind(), error.message()};
}

}  // namespace

void end_pod(kube::Client& client, const std::string& ns, const std::string& name, std::chrono::milliseconds patience) {
  const kube::Name pod{kube::resources::pods, ns, name};
  if (!client.remove(pod)) return;
  log::info("a pod that an earlier try left is ended", {{"pod", name}});
  for (const auto until = std::chrono::steady_clock::now() + patience; client.find(pod);) {
    if (std::chrono::steady_clock::now() > until)
      throw Error{ErrorKind::busy, fmt::format("pod {} of an earlier try does not end: see kubectl describe", name)};
    std::this_thread::sleep_for(look_again);
  }
}

SinglePod::SinglePod(kube::Client& client, Wish wish, std::mutex& making)
    : m_client(client),
      m_wish(std::move(wish)),
      m_name{kube::resources::pods, m_wish.ns, text_at(json::Value{m_wish.pod}, "/metadata/name")} {
  const auto until = Clock::now() + m_wish.start_limit;
  bool told = false;
  for (std::optional<Clock::time_point> since; const auto why = make(making);) {
    if (why->kind() != ErrorKind::unavailable || is_too_long(since) || Clock::now() > until) throw Error{*why};
    if (!std::exchange(told, true)) log::info(why->message(), {{"waits_at_most", human_duration(m_wish.patience)}});
    std::this_thread::sleep_for(std::min<std::chrono::milliseconds>(make_again, m_wish.patience));
  }
}

std::optional<Error> SinglePod::make(std::mutex& making) {
  const std::lock_guard lock{making};
  try {
    m_uid = text_at(m_client.create(m_name, m_wish.pod), "/metadata/uid");
    return std::nullopt;
  } catch (const kube::ApiError& error) {
    return not_made(m_name.name, error);
  }
}

bool SinglePod::is_too_long(std::optional<Clock::time_point>& since) {
  const auto& before = m_wish.before;
  if (std::any_of(before.begin(), before.end(), [this](const std::string& name) {
        return m_client.find({kube::resources::pods, m_wish.ns, name}).has_value();
      })) {
    since.reset();
    return false;
  }
  if (!since) since = Clock::now();
  return Clock::now() > *since + m_wish.patience;
}

SinglePod::~SinglePod() {
  try {
    m_client.remove(m_name, {.uid = m_uid});
  } catch (const std::exception& error) {
    log::warning(fmt::format("pod {} is left over, its time limit will end it: {}", m_name.name, error.what()));
  }
}

PodState SinglePod::look() {
  const auto found = m_client.find(m_name);
  auto state = found ? pod_state(*found) : PodState{};
  if (!found || state.uid != m_uid || found->at_pointer("/metadata/deletionTimestamp") != nullptr)
    throw Error{ErrorKind::unavailable, fmt::format("pod {} was deleted while it was at work", m_name.name)};
  if (!state.is_going) return state;
  if (state.trouble) throw state.trouble->error();
  throw Error{ErrorKind::unavailable, fmt::format("pod {} has ended before its work was done: {}", m_name.name,
                                                  printable(text_at(*found, "/status/reason")))};
}

void SinglePod::wait_until_ready() {
  const auto until = Clock::now() + m_wish.start_limit;
  std::optional<Clock::time_point> in_trouble;
  std::string told;
  while (true) {
    const auto state = look();
    if (state.is_ready) return;
    if (!state.trouble) in_trouble.reset();
    if (state.trouble && state.trouble->text != told) {
      told = state.trouble->text;
      log::info(told, {{"waits_at_most", human_duration(m_wish.patience)}});
    }
    if (state.trouble && (!state.trouble->may_pass || is_too_long(in_trouble))) throw state.trouble->error();
    if (Clock::now() > until)
      throw Error{ErrorKind::timed_out, fmt::format("pod {} was not ready within {}: see kubectl describe", m_name.name,
                                                    human_duration(m_wish.start_limit))};
    std::this_thread::sleep_for(look_again);
  }
}

std::optional<http::Response> SinglePod::answer_to(const kube::PodRequest& request) {
  try {
    return m_client.proxy(m_name, agent_port, request);
  } catch (const Error& error) {
    // What became of the pod says more than how the connection ended.
    if (const auto state = look(); state.trouble) throw state.trouble->error();
    if (!retry_helps(error.kind())) throw;
    log::warning(fmt::format("pod {} cannot be reached now: {}", m_name.name, error.message()));
    std::this_thread::sleep_for(1s);
    return std::nullopt;
  }
}

json::Value SinglePod::outcome_of(const kube::PodRequest& post, std::chrono::milliseconds limit) {
  const kube::PodRequest get{.path = post.path.substr(0, post.path.find('?')) + "?wait_ms=20000", .limit = 40s};
  const auto until = Clock::now() + limit;
  const auto* request = &post;
  while (true) {
    if (const auto reply = answer_to(*request)) {
      http::expect_success(*reply, "the agent in pod " + m_name.name);
      const auto value = json::parse(reply->body, "the agent's answer", {max_reply_bytes, 40});
      if (const auto* outcome = value.at_pointer("/outcome"); outcome != nullptr) return *outcome;
      request = &get;
    }
    if (Clock::now() > until)
      throw Error{ErrorKind::timed_out,
                  fmt::format("the agent in pod {} was not done within {}", m_name.name, human_duration(limit))};
  }
}

std::string SinglePod::get(std::uint16_t port, const std::string& path) {
  auto reply = m_client.proxy(m_name, port, {.path = path, .limit = 60s});
  http::expect_success(reply, fmt::format("port {} of pod {}", port, m_name.name));
  return std::move(reply.body);
}

}  // namespace capsule::cluster
