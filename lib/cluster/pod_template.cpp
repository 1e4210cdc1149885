#include "cluster/pod_template.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/pod_parts.hpp"
#include "cluster/pod_requests.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"

namespace capsule::cluster {

namespace {

/// Of the claim, within the pod.
constexpr std::string_view gpu_claim_name = "gpu";
constexpr std::uint64_t data_bytes = 4096 * mebibyte;

/// All words are set, those after the program as `args`: else somebody's would be added to them, and no field of ours
/// would show it.
json::Object init_container(std::string_view name, const std::string& image, std::string_view program, json::Array args,
                            json::Array mounts) {
  return {{"name", name},
          {"image", image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command", json::Array{program}},
          {"args", std::move(args)},
          {"resources", small_resources()},
          {"securityContext", container_security()},
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"volumeMounts", std::move(mounts)}};
}

json::Object download_container(const PodWish& wish) {
  json::Array args{"--unpack=/capsule", "--trust=/trust/trust.yaml"};
  for (const auto& host : wish.source.insecure_registries) args.emplace_back("--insecure-registry=" + host);
  args.emplace_back("--");
  args.emplace_back(wish.source.reference);
  auto out =
      init_container("capsule", wish.images.verify, "/usr/local/bin/capsule-verify", std::move(args),
                     {mount("capsule", "/capsule", false), mount("tmp", "/tmp", false), mount("trust", "/trust", true),
                      mount("registry-login", "/registry/login", true), mount("registry-ca", "/registry/ca", true)});
  out.set("env", json::Array{variable("CAPSULE_STATE", "/tmp/state"), variable("TMPDIR", "/tmp"),
                             variable("REGISTRY_AUTH_FILE", "/registry/login/.dockerconfigjson"),
                             variable("CAPSULE_REGISTRY_CA", "/registry/ca")});
  return out;
}

json::Array init_containers(const PodWish& wish) {
  json::Array out{init_container("agent", wish.images.agent, "/usr/local/bin/capsule-agent",
                                 {"install", "/agent/capsule-agent"}, {mount("agent", "/agent", false)})};
  if (wish.source.volume == CapsuleVolume::download) out.emplace_back(download_container(wish));
  return out;
}

bool is_waived(const PodWish& wish, const std::string& text) {
  return std::find(wish.waived.begin(), wish.waived.end(), text) != wish.waived.end();
}

json::Object runner_resources(const PodWish& wish) {
  const auto wanted = runner_requests(wish.manifest, wish.waived);
  const auto cpu = cpu_quantity(wanted.cpu);
  const auto memory = size_quantity(wanted.memory);
  json::Object requests{{"cpu", cpu}, {"memory", memory}};
  json::Object limits{{"cpu", asks_for(wish.manifest, "cpu", wish.waived) ? cpu : "2"}, {"memory", memory}};
  if (!wish.gpu_resource.empty()) {
    std::uint64_t count = 0;
    for (const auto& requirement : wish.manifest.requirements)
      if (requirement.kind == Requirement::Kind::gpu) count = std::max(count, requirement.amount);
    requests.set(wish.gpu_resource, std::to_string(count));
    limits.set(wish.gpu_resource, std::to_string(count));
  }
  json::Object out{{"requests", std::move(requests)}, {"limits", std::move(limits)}};
  if (!wish.gpu_claim.empty()) out.set("claims", json::Array{json::Object{{"name", gpu_claim_name}}});
  return out;
}

/// Where the capsule's root is in the pod.
std::string root_of(const PodWish& wish) {
  return wish.source.volume == CapsuleVolume::image ? "/capsule" : fmt::format("/capsule/{}", wish.capsule.hex());
}

json::Object runner(const PodWish& wish) {
  json::Array args{"--root=" + root_of(wish), "--data=/data/capsule", "--data-size=" + size_quantity(data_bytes),
                   fmt::format("--listen=0.0.0.0:{}", agent_port)};
  for (const auto& argument : wish.agent_arguments) args.emplace_back(argument);
  return {{"name", "runner"},
          {"image", wish.images.runtime},
          {"imagePullPolicy", "IfNotPresent"},
          {"command", json::Array{"/agent/capsule-agent"}},
          {"args", std::move(args)},
          {"env", json::Array{variable("TMPDIR", "/tmp")}},
          {"ports", json::Array{container_port("agent", agent_port)}},
          {"resources", runner_resources(wish)},
          {"securityContext", container_security()},
          // install.sh may take its time; afterwards the health check has 30 s to come right again.
          {"startupProbe", probe("/healthz", "agent", 1, 600)},
          {"livenessProbe", probe("/healthz", "agent", 10, 6)},
          {"readinessProbe", probe("/readyz", "agent", 1, 3)},
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"volumeMounts", json::Array{mount("agent", "/agent", true), mount("capsule", "/capsule", true),
                                       mount("data", "/data", false), mount("tmp", "/tmp", false)}}};
}

json::Array volumes(const PodWish& wish) {
  constexpr std::uint64_t small = 256 * mebibyte;
  json::Array out{empty_dir("agent", small), empty_dir("data", data_bytes), empty_dir("tmp", 4 * small)};
  if (wish.source.volume == CapsuleVolume::image) {
    out.emplace_back(
        json::Object{{"name", "capsule"},
                     {"image", json::Object{{"reference", wish.source.package}, {"pullPolicy", "IfNotPresent"}}}});
    return out;
  }
  out.emplace_back(empty_dir("capsule", wish.source.unpacked_bytes + wish.source.unpacked_bytes / 8 + small));
  out.emplace_back(
      json::Object{{"name", "trust"}, {"configMap", json::Object{{"name", trust_config_name(wish.manifest.name)}}}});
  out.emplace_back(json::Object{
      {"name", "registry-login"},
      {"secret", json::Object{{"secretName", "capsule-registry"}, {"optional", true}, {"defaultMode", 0440}}}});
  out.emplace_back(json::Object{{"name", "registry-ca"},
                                {"configMap", json::Object{{"name", "capsule-registry-ca"}, {"optional", true}}}});
  return out;
}

void pass_on(const json::Value& from, json::Object& spec) {
  for (const auto name : passed_on_members) {
    const auto* found = from.at_pointer(fmt::format("/spec/{}", name));
    if (found != nullptr && !found->is_null()) spec.set(name, *found);
  }
}

json::Object& child(json::Object& object, std::string_view name) {
  auto* found = object.find(name);
  if (found == nullptr || !found->is_object()) found = &object.set(name, json::Object{});
  return *found->if_object();
}

/// Only to these nodes. Terms are alternatives, and one names one node alone; what affinity is there already must hold
/// beside each.
void keep_to(const std::vector<std::string>& nodes, json::Object& spec) {
  auto& required =
      child(child(child(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
  json::Array before{json::Object{}};
  if (const auto* terms = required.find("nodeSelectorTerms"); terms != nullptr && terms->if_array() != nullptr)
    before = *terms->if_array();
  json::Array terms;
  for (const auto& term : before) {
    for (const auto& node : nodes) {
      auto narrowed = term.if_object() == nullptr ? json::Object{} : *term.if_object();
      json::Array fields;
      if (const auto* old = narrowed.find("matchFields"); old != nullptr && old->if_array() != nullptr)
        fields = *old->if_array();
      fields.emplace_back(json::Object{{"key", "metadata.name"}, {"operator", "In"}, {"values", json::Array{node}}});
      narrowed.set("matchFields", std::move(fields));
      terms.emplace_back(std::move(narrowed));
    }
  }
  required.set("nodeSelectorTerms", std::move(terms));
}

}  // namespace

json::Object pod_spec(const PodWish& wish) {
  json::Object spec{{"automountServiceAccountToken", false},
                    {"enableServiceLinks", false},
                    {"securityContext", json::Object{{"runAsNonRoot", true},
                                                     {"runAsUser", pod_user},
                                                     {"runAsGroup", pod_user},
                                                     {"fsGroup", pod_user},
                                                     {"seccompProfile", json::Object{{"type", "RuntimeDefault"}}}}},
                    {"terminationGracePeriodSeconds", 5},
                    // Named always: where it is left out, the API server takes it from the field's former name,
                    // serviceAccount, which it has filled in itself, and which is nobody's to remove.
                    {"serviceAccountName", "default"},
                    {"initContainers", init_containers(wish)},
                    {"containers", json::Array{runner(wish)}},
                    {"volumes", volumes(wish)}};
  if (!wish.gpu_claim.empty())
    spec.set("resourceClaims",
             json::Array{json::Object{{"name", gpu_claim_name}, {"resourceClaimTemplateName", wish.gpu_claim}}});
  if (wish.passed_on) pass_on(*wish.passed_on, spec);
  child(spec, "nodeSelector").set("kubernetes.io/os", "linux");
  for (const auto& requirement : wish.manifest.requirements) {
    if (requirement.kind == Requirement::Kind::arch && !is_waived(wish, requirement.text))
      child(spec, "nodeSelector").set("kubernetes.io/arch", requirement.word);
  }
  if (!wish.nodes.empty()) keep_to(wish.nodes, spec);
  return spec;
}

std::string trust_config_name(const std::string& capsule) {
  return "capsule-loop-trust-" + capsule;
}

json::Object pod_template(const PodWish& wish) {
  auto spec = pod_spec(wish);
  const std::string identity{crypto::sha256(json::canonical(spec)).hex().substr(0, 16)};
  return {
      {"metadata", json::Object{{"labels", json::Object{{"app", wish.manifest.name},
                                                        {"app.kubernetes.io/part-of", "capsule-loop"},
                                                        {std::string{label::pod_template}, identity}}},
                                {"annotations", json::Object{{std::string{annotation::digest}, wish.capsule.text()}}}}},
      {"spec", std::move(spec)}};
}

}  // namespace capsule::cluster
