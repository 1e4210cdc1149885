#include "cluster/pod_look.hpp"

#include <algorithm>

#include "json/lookup.hpp"

namespace capsule::cluster {

namespace {

bool is_waiting(const PodState& pod) {
  return pod.is_ready && pod.run.empty() && !pod.is_going;
}

}  // namespace

void PodLook::take(const kube::Event& event) {
  if (event.kind == kube::EventKind::listed) {
    m_pods.clear();
    for (const auto& pod : event.list.items) put(pod);
  } else if (event.kind == kube::EventKind::deleted) {
    m_pods.erase(text_at(event.object, "/metadata/name"));
  } else {
    put(event.object);
  }
}

void PodLook::put(const json::Value& pod) {
  if (!m_members.has(pod)) return;
  auto state = pod_state(pod);
  m_pods.insert_or_assign(state.name, std::move(state));
}

std::optional<PodState> PodLook::usable() const {
  std::optional<PodState> out;
  for (const auto& [name, pod] : m_pods) {
    if (!pod.is_going && !m_run_id.empty() && pod.run == m_run_id) return pod;
    if (is_waiting(pod)) out = pod;
  }
  return out;
}

unsigned PodLook::waiting() const {
  return static_cast<unsigned>(
      std::count_if(m_pods.begin(), m_pods.end(), [](const auto& entry) { return is_waiting(entry.second); }));
}

std::vector<PodState> PodLook::left_over() const {
  std::vector<PodState> out;
  for (const auto& [name, pod] : m_pods)
    if (!pod.is_going && !pod.run.empty() && pod.run != m_run_id) out.push_back(pod);
  return out;
}

std::vector<PodState> PodLook::unclaimed() const {
  std::vector<PodState> out;
  for (const auto& [name, pod] : m_pods)
    if (pod.is_running && !pod.is_going && !pod.is_ready && pod.run.empty()) out.push_back(pod);
  return out;
}

bool PodLook::is_empty() const {
  return std::all_of(m_pods.begin(), m_pods.end(), [](const auto& entry) { return entry.second.is_going; });
}

std::optional<PodState> PodLook::unready() const {
  for (const auto& [name, pod] : m_pods)
    if (!pod.is_going && !pod.is_ready) return pod;
  return std::nullopt;
}

std::optional<Trouble> PodLook::trouble() const {
  for (const auto& [name, pod] : m_pods)
    if (!pod.is_going && pod.trouble) return pod.trouble;
  return std::nullopt;
}

}  // namespace capsule::cluster
