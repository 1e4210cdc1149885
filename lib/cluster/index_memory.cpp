#include "cluster/index_memory.hpp"

#include <fmt/format.h>

#include <limits>

#include "cluster/deployed_object.hpp"
#include "cluster/node.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "json/cursor.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

constexpr std::string_view list_name = "indexSeen";
constexpr std::size_t most = 16;

std::optional<index::HeadId> head_in(const json::Value& entry) {
  try {
    const json::Cursor top{entry, "status.indexSeen"};
    return index::HeadId{top.at("sequence").uint64(), Digest::parse(top.at("digest").string())};
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Those of other registries.
json::Array others(const json::Value& object, const std::string& registry) {
  json::Array out;
  for (const auto& entry : array_at(object, "/status/indexSeen"))
    if (text_at(entry, "/registry") != registry) out.push_back(entry);
  return out;
}

}  // namespace

std::optional<index::HeadId> index_seen(const json::Value& object, const std::string& registry) {
  for (const auto& entry : array_at(object, "/status/indexSeen"))
    if (text_at(entry, "/registry") == registry) return head_in(entry);
  return std::nullopt;
}

void set_index_seen(json::Object& object, const std::string& registry, const index::HeadId& head) {
  // The schema's integers are signed.
  if (head.sequence > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return;
  const auto before = index_seen(json::Value{object}, registry);
  if (before && before->sequence >= head.sequence) return;
  auto list = others(json::Value{object}, registry);
  if (list.size() >= most) list.erase(list.begin(), list.end() - (most - 1));
  list.emplace_back(json::Object{{"registry", registry}, {"sequence", head.sequence}, {"digest", head.digest.text()}});
  deploy::member(object, "status").set(std::string{list_name}, std::move(list));
}

void IndexMemory::know(const json::Value* object) {
  m_object.reset();
  if (object == nullptr) return;
  m_object = *object;
  if (m_ns.empty()) m_ns = text_at(*object, "/metadata/namespace");
}

std::optional<index::HeadId> IndexMemory::of(const std::string& registry, const std::string&) {
  return m_object ? index_seen(*m_object, registry) : std::nullopt;
}

void IndexMemory::saw(const std::string& registry, const std::string&, const index::HeadId& now) {
  m_last = Last{registry, now};
}

std::string IndexMemory::where() const {
  return fmt::format(
      "status.indexSeen of the {}; where the registry was set up anew, clear it: kubectl patch pd {} -n {} "
      "--subresource=status --type=merge -p '{{\"status\":{{\"indexSeen\":null}}}}'",
      kube::text_of(kube::Name{proofed_deployments, m_ns, m_name}), m_name, m_ns);
}

void IndexMemory::note(json::Object& object) const {
  if (m_last) set_index_seen(object, m_last->registry, m_last->head);
}

void IndexMemory::warn_unless_noted(const json::Value& object) const {
  if (!m_last || index_seen(object, m_last->registry)) return;
  log::warning(
      "the cluster's CRD of ProofedDeployment does not keep status.indexSeen: if an older index is served to the next "
      "pod, it will not be noticed; an older one of ours is brought up to date with workflows/crds");
}

}  // namespace capsule::cluster
