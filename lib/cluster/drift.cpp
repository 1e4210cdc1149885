#include "cluster/drift.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/apply_in_turn.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "json/parse.hpp"

namespace capsule::cluster {

namespace {

constexpr const char* restarted_at = "kubectl.kubernetes.io/restartedAt";
/// Steps to a container: f:spec, f:template, f:spec, f:containers, k:{"name":…}.
constexpr std::size_t list_step = 3;
constexpr std::size_t container_step = 4;

bool is_in_pod_spec(const FieldPath& path) {
  return path.size() > list_step && path[0] == "f:spec" && path[1] == "f:template" && path[2] == "f:spec";
}

bool is_in_container(const FieldPath& path) {
  return is_in_pod_spec(path) && path.size() > container_step &&
         (path[list_step] == "f:containers" || path[list_step] == "f:initContainers");
}

/// Whether the platform's operator may set that beside our fields.
bool is_operators_to_set(const FieldPath& path) {
  if (path.front() != "f:spec" || path == FieldPath{"f:spec", "f:paused"}) return false;
  if (!is_in_container(path)) return true;
  if (path.size() == container_step + 1) return path.back() == ".";
  const auto& field = path[container_step + 1];
  return field != "f:env" && field != "f:envFrom" && field != "f:lifecycle";
}

/// The fields of the spec that are not to be looked at: ours, and what others may set.
json::Object kept_fields(const json::Value& deployment, const std::string& maker) {
  json::Object kept;
  if (const auto* ours = applied_fields(deployment); ours != nullptr && ours->if_object() != nullptr)
    kept = *ours->if_object();
  for (const auto& one : array_at(deployment, "/metadata/managedFields")) {
    const auto* fields = one.at_pointer("/fieldsV1");
    if (maker.empty() || text_at(one, "/manager") != maker || fields == nullptr || !fields->is_object()) continue;
    kept = united(kept, *fields->if_object(), is_operators_to_set);
  }
  auto& spec = deploy::member(kept, "f:spec");
  spec.set("f:replicas", json::Object{});
  auto& metadata = deploy::member(deploy::member(spec, "f:template"), "f:metadata");
  deploy::member(metadata, "f:annotations").set(std::string{"f:"} + restarted_at, json::Object{});
  return kept;
}

std::string name_in(const std::string& step) {
  try {
    return printable(text_at(json::parse(std::string_view{step}.substr(2), "a step of managedFields"), "/name"));
  } catch (const Error&) {
    return {};
  }
}

std::string describe(const FieldPath& path) {
  if (is_in_container(path)) {
    const auto name = name_in(path[container_step]);
    if (path.size() == container_step + 1) return fmt::format("container {}", name);
    const bool is_variable = path.size() > container_step + 2 && path[container_step + 1] == "f:env";
    return fmt::format("{} of container {}",
                       is_variable ? "env " + name_in(path[container_step + 2]) : text_of(path, container_step + 1),
                       name);
  }
  if (is_in_pod_spec(path) && path[list_step] == "f:volumes" && path.size() == container_step + 1)
    return fmt::format("volume {}", name_in(path.back()));
  return text_of(path);
}

bool is_same(const json::Value* a, const json::Value* b) {
  return a == nullptr || b == nullptr ? a == b : *a == *b;
}

}  // namespace

std::vector<Addition> additions(const json::Value& deployment, const std::string& maker) {
  std::vector<Addition> out;
  if (applied_fields(deployment) == nullptr) return out;
  const json::Value kept{kept_fields(deployment, maker)};
  for (const auto& one : array_at(deployment, "/metadata/managedFields")) {
    const auto* fields = one.at_pointer("/fieldsV1");
    if (fields == nullptr || is_our_manager(one)) continue;
    for (auto& path : beyond(*fields, kept)) {
      const auto is_known = [&](const Addition& other) { return other.path == path; };
      if (path.front() != "f:spec" || std::any_of(out.begin(), out.end(), is_known)) continue;
      out.push_back({describe(path), printable(text_at(one, "/manager")), std::move(path)});
    }
  }
  return out;
}

json::Object own_spec(const json::Value& deployment, const std::string& maker) {
  auto own = extracted(deployment, json::Value{kept_fields(deployment, maker)});
  // Within what is ours as a whole, an empty object for instance.
  for (const auto& one : additions(deployment, maker)) erase_at(own, one.path);
  erase_at(own, {"f:spec", "f:template", "f:metadata", "f:annotations", std::string{"f:"} + restarted_at});
  return deploy::member(*own.if_object(), "spec");
}

json::Object in_place_of(json::Object spec, const json::Value& deployment) {
  if (const auto* replicas = deployment.at_pointer("/spec/replicas")) spec.set("replicas", *replicas);
  const auto* annotations = deployment.at_pointer("/spec/template/metadata/annotations");
  const auto* asked =
      annotations == nullptr || !annotations->is_object() ? nullptr : annotations->if_object()->find(restarted_at);
  if (asked != nullptr) {
    auto& metadata = deploy::member(deploy::member(spec, "template"), "metadata");
    deploy::member(metadata, "annotations").set(restarted_at, *asked);
  }
  return spec;
}

std::vector<Addition> effective(std::vector<Addition> found, kube::Client& client, const kube::Name& name,
                                const json::Value& deployment, const json::Object& spec) {
  if (found.empty()) return found;
  const json::Array operations{
      json::Object{{"op", "replace"}, {"path", "/spec"}, {"value", in_place_of(spec, deployment)}}};
  try {
    const auto without = client.patch(name, kube::PatchKind::operations, json::Value{operations}, {.dry_run = true});
    std::erase_if(
        found, [&](const Addition& one) { return is_same(at_path(deployment, one.path), at_path(without, one.path)); });
  } catch (const Error& error) {
    // Who may not try it, or has lost fields of ours without which it is none, is told of all.
    if (error.kind() != ErrorKind::denied && error.kind() != ErrorKind::invalid_input) throw;
  }
  return found;
}

json::Value put_spec(kube::Client& client, const kube::Name& name, json::Value deployment, const json::Object& spec,
                     std::uint64_t fence) {
  constexpr int max_attempts = 8;
  for (int i = 1;; ++i) {
    require_not_fenced(name, deployment, fence);
    const json::Array operations{
        json::Object{{"op", "replace"},
                     {"path", "/metadata/resourceVersion"},
                     {"value", text_at(deployment, "/metadata/resourceVersion")}},
        json::Object{{"op", "replace"}, {"path", "/spec"}, {"value", in_place_of(spec, deployment)}}};
    try {
      return client.patch(name, kube::PatchKind::operations, json::Value{operations});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::conflict || i == max_attempts) throw;
    }
    deployment = client.get(name);
  }
}

std::string text_of(const std::vector<Addition>& additions) {
  constexpr std::size_t max_named = 4;
  std::string out;
  for (std::size_t i = 0; i < std::min(additions.size(), max_named); ++i)
    out += fmt::format("{}{} (by {})", i == 0 ? "" : ", ", additions[i].what, additions[i].manager);
  if (additions.size() > max_named) out += fmt::format(", and {} more", additions.size() - max_named);
  return out;
}

}  // namespace capsule::cluster
