#include "cluster/placement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cluster/objects.hpp"
#include "cluster/pod_template.hpp"
#include "core/error.hpp"

namespace capsule::cluster {

namespace {

/// Whether no scheduler knows which nodes meet it.
bool names_nodes(const Requirement& requirement, const deploy::CapabilityReport& report) {
  const bool waived = std::find(report.waived.begin(), report.waived.end(), requirement.text) != report.waived.end();
  if (waived) return false;
  if (requirement.kind == Requirement::Kind::utid) return requirement.word == "hardware-bound";
  return requirement.kind == Requirement::Kind::gpu_memory;
}

bool is_empty(const json::Value& value) {
  const auto* object = value.if_object();
  const auto* array = value.if_array();
  return value.is_null() || (object != nullptr && object->empty()) || (array != nullptr && array->empty());
}

/// The members that say something, behind `prefix`.
void add_members(const json::Value& of, std::string_view prefix, std::set<std::string>& out) {
  if (of.if_object() == nullptr) return;
  for (const auto& [name, value] : *of.if_object())
    if (!is_empty(value)) out.insert(fmt::format("{}{}", prefix, printable(name, 100)));
}

bool is_passed_on(std::string_view member) {
  return std::find(passed_on_members.begin(), passed_on_members.end(), member) != passed_on_members.end();
}

void add_of_pod(const json::Object& spec, std::set<std::string>& out) {
  for (const auto& [name, value] : spec) {
    if (is_empty(value) || is_passed_on(name)) continue;
    const auto path = fmt::format("spec.{}", printable(name, 100));
    const bool is_of_containers = name == "containers" || name.ends_with("Containers");
    if (!is_of_containers || value.if_array() == nullptr) {
      out.insert(path);
      continue;
    }
    for (const auto& container : *value.if_array()) {
      add_members(container, path + "[].", out);
      out.erase(path + "[].name");  // that alone asks for nothing
    }
  }
}

}  // namespace

void take_placement(const json::Value& object, PodDemand& demand) {
  const auto* tolerations = object.at_pointer("/spec/template/spec/tolerations");
  if (tolerations != nullptr && tolerations->if_array() != nullptr) demand.tolerations = *tolerations->if_array();
  const auto* selector = object.at_pointer("/spec/template/spec/nodeSelector");
  if (selector == nullptr || selector->if_object() == nullptr) return;
  for (const auto& [key, value] : *selector->if_object())
    if (const auto* text = value.if_string()) demand.node_selector.emplace(key, *text);
}

std::string not_taken_over(const json::Value& object) {
  const auto* pods = object.at_pointer("/spec/template");
  const auto* ours = applied_fields(object);
  if (pods == nullptr || pods->if_object() == nullptr) return {};
  if (ours != nullptr && ours->at_pointer("/f:spec/f:template") != nullptr) return {};
  std::set<std::string> paths;
  for (const auto& [name, value] : *pods->if_object()) {
    if (is_empty(value)) continue;
    const auto path = printable(name, 100);
    if (value.if_object() == nullptr)
      paths.insert(path);
    else if (name == "spec")
      add_of_pod(*value.if_object(), paths);
    else
      add_members(value, path + ".", paths);
  }
  if (paths.empty()) return {};
  constexpr std::size_t at_most = 10;
  const auto last = std::next(paths.begin(), static_cast<std::ptrdiff_t>(std::min(paths.size(), at_most)));
  const auto more = paths.size() > at_most ? fmt::format(" and {} more", paths.size() - at_most) : std::string{};
  return fmt::format(
      "of the object's spec.template the pods do not take over {}{}: of its spec they have {}, all else "
      "is the capsule's",
      fmt::join(paths.begin(), last, ", "), more, fmt::join(passed_on_members, ", "));
}

std::vector<std::string> nodes_to_name(const Manifest& manifest, const ClusterCheck& check) {
  const bool needed = std::any_of(manifest.requirements.begin(), manifest.requirements.end(),
                                  [&](const Requirement& one) { return names_nodes(one, check.report); });
  return needed ? check.accepted : std::vector<std::string>{};
}

}  // namespace capsule::cluster
