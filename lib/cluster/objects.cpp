#include "cluster/objects.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/autoscale.hpp"
#include "cluster/node.hpp"
#include "crypto/hash.hpp"
#include "deploy/deployment_status.hpp"
#include "json/write.hpp"

namespace capsule::cluster {

namespace {

json::Object labels(const std::string& app) {
  return {{"app", app}, {"app.kubernetes.io/part-of", "capsule-loop"}};
}

json::Object owned_by(const Owner& owner, const std::string& ns, const std::string& name) {
  auto reference = owner_reference(owner);
  reference.set("controller", true);
  reference.set("blockOwnerDeletion", false);
  return {{"name", name},
          {"namespace", ns},
          {"labels", labels(owner.name)},
          {"ownerReferences", json::Array{std::move(reference)}}};
}

/// Of a Deployment: it cannot be changed, so it stays what it was. The Deployment's own pods bear a label of its
/// ReplicaSet's beside it.
json::Object selector(const std::string& app) {
  return {{"matchLabels", json::Object{{"app", app}}}};
}

json::Object strategy(bool has_gpu) {
  json::Object rolling{{"maxSurge", has_gpu ? 0 : 1}, {"maxUnavailable", has_gpu ? 1 : 0}};
  return {{"type", "RollingUpdate"}, {"rollingUpdate", std::move(rolling)}};
}

std::string indented(const std::string& text, std::string_view by) {
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    out += fmt::format("{}{}\n", by, line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return out;
}

}  // namespace

json::Object owner_reference(const Owner& owner) {
  return {{"apiVersion", "infra.industriverse.ai/v1"},
          {"kind", "ProofedDeployment"},
          {"name", owner.name},
          {"uid", owner.uid}};
}

kube::Name deployment_of(const kube::Name& object) {
  return {kube::resources::deployments, object.ns, deployment_name(object.name)};
}

kube::Name trust_config_of(const kube::Name& object) {
  return {kube::resources::config_maps, object.ns, trust_config_name(object.name)};
}

kube::Name disruption_budget_of(const kube::Name& object) {
  return {kube::resources::disruption_budgets, object.ns, deployment_name(object.name)};
}

std::string deployment_name(const std::string& capsule) {
  return capsule + "-deploy";
}

json::Object proofed_deployment(const Manifest& manifest, const Digest& capsule, const std::string& image,
                                const std::string& ns) {
  return {{"apiVersion", "infra.industriverse.ai/v1"},
          {"kind", "ProofedDeployment"},
          {"metadata", json::Object{{"name", manifest.name},
                                    {"namespace", ns},
                                    {"labels", json::Object{{"app.kubernetes.io/part-of", "capsule-loop"}}}}},
          {"spec", deploy::proofed_spec(manifest, capsule, image)}};
}

json::Object deployment(const Owner& owner, const std::string& ns, const Pool& pool) {
  json::Object spec{{"selector", selector(owner.name)},
                    {"strategy", strategy(pool.has_gpu)},
                    {"revisionHistoryLimit", 2},
                    {"progressDeadlineSeconds", 600},
                    {"template", pool.pod_template}};
  if (pool.replicas_are_ours) spec.set("replicas", pool.replicas);
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", owned_by(owner, ns, deployment_name(owner.name))},
          {"spec", std::move(spec)}};
}

json::Object trust_config(const Owner& owner, const std::string& ns, const Manifest& manifest,
                          const std::vector<crypto::PublicKey>& signers) {
  std::string policy = "version: 1\ncapsule:\n  - keys:\n";
  for (const auto& key : signers) policy += "      - |\n" + indented(key.to_pem(), "        ");
  policy += fmt::format("    threshold: {}\n", signers.size());
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", owned_by(owner, ns, trust_config_name(manifest.name))},
          {"data", json::Object{{"trust.yaml", policy}}}};
}

json::Object made_again(const json::Value& from, const json::Object& kind, std::string_view content,
                        const std::vector<std::string_view>& not_ours) {
  auto out = kind;
  out.set("metadata",
          json::Object{{"name", text_at(from, "/metadata/name")}, {"namespace", text_at(from, "/metadata/namespace")}});
  for (const auto* kept : {"labels", "ownerReferences"}) {
    const auto* found = from.at_pointer(std::string{"/metadata/"} + kept);
    if (found != nullptr) deploy::member(out, "metadata").set(kept, *found);
  }
  const auto* made = from.at_pointer(fmt::format("/{}", content));
  if (made == nullptr) return out;
  out.set(content, *made);
  for (const auto member : not_ours) deploy::member(out, content).erase(member);
  return out;
}

const json::Value* applied_fields(const json::Value& object, std::string_view manager) {
  const auto* managers = object.at_pointer("/metadata/managedFields");
  if (managers == nullptr || managers->if_array() == nullptr) return nullptr;
  for (const auto& one : *managers->if_array()) {
    const auto* of = one.at_pointer("/fieldsV1");
    if (of != nullptr && text_at(one, "/manager") == manager && text_at(one, "/operation") == "Apply") return of;
  }
  return nullptr;
}

bool is_our_manager(const json::Value& entry) {
  const auto manager = text_at(entry, "/manager");
  return manager == field_manager || manager == autoscale_manager;
}

bool is_set_by_others(const json::Value& object, std::initializer_list<std::string_view> path) {
  const auto& managers = array_at(object, "/metadata/managedFields");
  return std::any_of(managers.begin(), managers.end(), [&](const json::Value& one) {
    if (is_our_manager(one)) return false;
    const auto* at = one.at_pointer("/fieldsV1");
    for (const auto name : path)
      at = at == nullptr || at->if_object() == nullptr ? nullptr : at->if_object()->find(name);
    return at != nullptr;
  });
}

std::string own_fields(const json::Value& object) {
  const auto* found = applied_fields(object);
  const json::Value fields = found == nullptr ? json::Value{json::Object{}} : *found;
  return std::string{crypto::sha256(json::canonical(fields)).hex().substr(0, 16)};
}

json::Object disruption_budget(const Owner& owner, const std::string& ns) {
  return {{"apiVersion", "policy/v1"},
          {"kind", "PodDisruptionBudget"},
          {"metadata", owned_by(owner, ns, deployment_name(owner.name))},
          {"spec", json::Object{{"minAvailable", 1},
                                // Somebody's pods may have the same name as their `app`.
                                {"selector", json::Object{{"matchLabels", labels(owner.name)}}}}}};
}

}  // namespace capsule::cluster
