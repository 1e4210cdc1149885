#include "cluster/placement.hpp"

#include <algorithm>

namespace capsule::cluster {

namespace {

/// Whether no scheduler knows which nodes meet it.
bool names_nodes(const Requirement& requirement, const deploy::CapabilityReport& report) {
  const bool waived = std::find(report.waived.begin(), report.waived.end(), requirement.text) != report.waived.end();
  if (waived) return false;
  if (requirement.kind == Requirement::Kind::utid) return requirement.word == "hardware-bound";
  return requirement.kind == Requirement::Kind::gpu_memory;
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

std::vector<std::string> nodes_to_name(const Manifest& manifest, const ClusterCheck& check) {
  const bool needed = std::any_of(manifest.requirements.begin(), manifest.requirements.end(),
                                  [&](const Requirement& one) { return names_nodes(one, check.report); });
  return needed ? check.accepted : std::vector<std::string>{};
}

}  // namespace capsule::cluster
