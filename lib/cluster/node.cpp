#include "cluster/node.hpp"

#include <algorithm>

#include "capsule/quantity.hpp"
#include "cluster/names.hpp"

namespace capsule::cluster {

namespace {

bool is_ready(const json::Cursor& status) {
  const auto conditions = status.optional("conditions");
  if (!conditions) return false;
  const auto all = conditions->elements();
  return std::any_of(all.begin(), all.end(), [](const json::Cursor& condition) {
    return condition.at("type").string() == "Ready" && condition.at("status").string() == "True";
  });
}

std::vector<Taint> taints_of(const json::Cursor& spec) {
  std::vector<Taint> out;
  const auto taints = spec.optional("taints");
  if (!taints) return out;
  for (const auto& taint : taints->elements()) {
    const auto value = taint.optional("value");
    out.push_back({taint.at("key").string(), value ? value->string() : std::string{}, taint.at("effect").string()});
  }
  return out;
}

std::map<std::string, std::string> texts_of(const json::Cursor& parent, std::string_view name) {
  std::map<std::string, std::string> out;
  const auto found = parent.optional(name);
  if (!found) return out;
  for (const auto& [key, value] : found->members()) out.emplace(key, value.string());
  return out;
}

std::string text_of(const std::map<std::string, std::string>& texts, std::string_view key) {
  const auto found = texts.find(std::string{key});
  return found == texts.end() ? std::string{} : found->second;
}

/// A quantity of the API: text, or a number where somebody wrote one.
std::uint64_t quantity(const json::Value& value) {
  const auto* text = value.if_string();
  const auto* number = value.if_number();
  if (text == nullptr && number == nullptr) return 0;
  return parse_quantity_milli(text != nullptr ? *text : number->text).value_or(0);
}

void add_requests(const json::Value& pod, std::map<std::string, std::uint64_t>& sum) {
  const auto* containers = pod.at_pointer("/spec/containers");
  if (containers == nullptr || containers->if_array() == nullptr) return;
  for (const auto& container : *containers->if_array()) {
    const auto* requests = container.at_pointer("/resources/requests");
    if (requests == nullptr || requests->if_object() == nullptr) continue;
    for (const auto& [resource, amount] : *requests->if_object()) sum[resource] += quantity(amount);
  }
}

}  // namespace

Node node_from(const json::Cursor& object) {
  const auto metadata = object.at("metadata");
  const auto status = object.at("status");
  Node node;
  node.name = metadata.at("name").string();
  node.uid = metadata.at("uid").string();
  node.labels = texts_of(metadata, "labels");
  const auto annotations = texts_of(metadata, "annotations");
  node.utid = text_of(annotations, annotation::node_utid);
  node.certificate = text_of(annotations, annotation::node_certificate);
  node.arch = text_at(object.value(), "/status/nodeInfo/architecture");
  node.system = text_at(object.value(), "/status/nodeInfo/operatingSystem");
  node.ready = is_ready(status);
  if (const auto spec = object.optional("spec")) {
    const auto unschedulable = spec->optional("unschedulable");
    node.unschedulable = unschedulable && unschedulable->boolean();
    node.taints = taints_of(*spec);
  }
  if (const auto allocatable = status.optional("allocatable")) {
    for (const auto& [resource, amount] : allocatable->members()) node.allocatable[resource] = quantity(amount.value());
  }
  return node;
}

bool tolerates(const json::Value& toleration, const Taint& taint) {
  const auto key = text_at(toleration, "/key");
  const auto effect = text_at(toleration, "/effect");
  if (!effect.empty() && effect != taint.effect) return false;
  if (!key.empty() && key != taint.key) return false;
  if (text_at(toleration, "/operator") == "Exists") return true;
  return !key.empty() && text_at(toleration, "/value") == taint.value;
}

void add_requested(const json::Value& pod, std::string_view except_namespace, std::string_view except_app,
                   Requested& sum) {
  const auto node = text_at(pod, "/spec/nodeName");
  const auto phase = text_at(pod, "/status/phase");
  if (node.empty() || phase == "Succeeded" || phase == "Failed") return;
  if (!except_app.empty() && text_at(pod, "/metadata/namespace") == except_namespace &&
      text_at(pod, "/metadata/labels/app") == except_app)
    return;
  add_requests(pod, sum[node]);
}

}  // namespace capsule::cluster
