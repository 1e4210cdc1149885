#include "cluster/pod_gpus.hpp"

#include "deploy/deployment_status.hpp"
#include "json/lookup.hpp"

namespace capsule::cluster {

namespace {

constexpr std::string_view container_name = "runner";

json::Value value_at(const json::Value& from, std::string_view pointer) {
  const auto* found = from.at_pointer(pointer);
  return found == nullptr ? json::Value{} : *found;
}

/// Those of device plug-ins: a domain, and a name.
json::Object extended(const json::Value& limits) {
  json::Object out;
  if (limits.if_object() == nullptr) return out;
  for (const auto& [name, amount] : *limits.if_object())
    if (name.find('/') != std::string::npos) out.set(name, amount);
  return out;
}

}  // namespace

PodGpus gpus_of(const json::Value& pod_template) {
  PodGpus out;
  for (const auto& container : json::array_at(pod_template, "/spec/containers")) {
    if (json::text_at(container, "/name") != container_name) continue;
    out.limits = extended(value_at(container, "/resources/limits"));
    out.claims = value_at(container, "/resources/claims");
  }
  if (!out.claims.is_null()) out.pod_claims = value_at(pod_template, "/spec/resourceClaims");
  out.affinity = value_at(pod_template, "/spec/affinity");
  return out;
}

void give_gpus(const PodGpus& gpus, json::Object& pod_spec) {
  if (gpus.empty()) return;
  for (auto& container : *pod_spec.find("containers")->if_array()) {
    if (json::text_at(container, "/name") != container_name) continue;
    auto& resources = deploy::member(*container.if_object(), "resources");
    for (const auto& [name, amount] : gpus.limits) {
      deploy::member(resources, "requests").set(name, amount);
      deploy::member(resources, "limits").set(name, amount);
    }
    if (!gpus.claims.is_null()) resources.set("claims", gpus.claims);
  }
  if (!gpus.pod_claims.is_null()) pod_spec.set("resourceClaims", gpus.pod_claims);
  if (!gpus.affinity.is_null()) pod_spec.set("affinity", gpus.affinity);
}

}  // namespace capsule::cluster
