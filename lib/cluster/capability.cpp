#include "cluster/capability.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "capsule/quantity.hpp"
#include "cluster/pod_requests.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace capsule::cluster {

namespace {

constexpr std::uint64_t thousandths = 1000;
constexpr std::size_t max_named = 5;
constexpr std::string_view can_go_there = "schedulable";

/// Something that is asked for, and by what name it is waived.
struct Need {
  enum class Kind { requirement, resource, schedulable };
  Kind kind{};
  std::string text;
  const Requirement* requirement = nullptr;
  std::string resource{};  ///< of memory and cpu
};

std::vector<Need> needs_of(const Manifest& manifest) {
  std::vector<Need> out;
  for (const auto& one : manifest.requirements) out.push_back({Need::Kind::requirement, one.text, &one});
  for (const auto& [name, quantity] : manifest.resources) {
    out.push_back({Need::Kind::resource, fmt::format("{}:{}", name, quantity), nullptr, name});
  }
  out.push_back({Need::Kind::schedulable, std::string{can_go_there}});
  return out;
}

bool fits(const std::string& pattern, const std::string& resource) {
  if (!pattern.ends_with('*')) return pattern == resource;
  return resource.starts_with(std::string_view{pattern}.substr(0, pattern.size() - 1));
}

bool has(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// One node while it is judged.
class Judge {
 public:
  Judge(const PodDemand& demand, const Node& node, const deploy::Certifiers& certifiers)
      : m_demand(demand), m_node(node) {
    m_verdict.node = node.name;
    if (node.certificate.empty()) {
      m_verdict.identity.reason = fmt::format("it has no annotation {}", "utid.industriverse.ai/certificate");
    } else {
      m_verdict.identity = deploy::judge_host_identity(node.utid, node.certificate,
                                                       deploy::identity_check(certifiers, node.name, node.uid));
    }
    choose_gpu();
  }

  void hold(const Need& need) { m_verdict.reasons.push_back(lack(need)); }
  NodeVerdict verdict() && { return std::move(m_verdict); }

 private:
  [[nodiscard]] std::uint64_t there(const std::string& resource) const {
    const auto found = m_node.allocatable.find(resource);
    return found == m_node.allocatable.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t taken(const std::string& resource) const {
    if (m_demand.requested == nullptr) return 0;
    const auto node = m_demand.requested->find(m_node.name);
    if (node == m_demand.requested->end()) return 0;
    const auto found = node->second.find(resource);
    return found == node->second.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t free(const std::string& resource) const {
    return there(resource) - std::min(there(resource), taken(resource));
  }

  /// Of the kinds of GPU that the node has, the one of which most is free.
  void choose_gpu() {
    if (m_demand.gpu_claim != nullptr) return;
    for (const auto& kind : known_gpus()) {
      for (const auto& [resource, amount] : m_node.allocatable) {
        if (amount == 0 || !fits(kind.resource, resource)) continue;
        if (!m_verdict.gpu_resource.empty() && free(resource) <= free(m_verdict.gpu_resource)) continue;
        m_verdict.gpu_resource = resource;
        m_gpu = &kind;
      }
    }
  }

  [[nodiscard]] std::string lack(const Need& need) const {
    switch (need.kind) {
      case Need::Kind::requirement:
        return lack(*need.requirement);
      case Need::Kind::resource:
        return lack_of_resource(need.resource);
      case Need::Kind::schedulable:
        return why_not_schedulable();
    }
    return {};
  }

  [[nodiscard]] std::string lack(const Requirement& requirement) const {
    switch (requirement.kind) {
      case Requirement::Kind::gpu:
        return lack_of_gpus(requirement.amount);
      case Requirement::Kind::gpu_memory:
        return lack_of_gpu_memory(requirement.amount);
      case Requirement::Kind::utid:
        if (requirement.word == "soft" || m_verdict.identity.binding == deploy::HostIdentity::Binding::certified)
          return {};
        return "no certificate binds a UTID to it: " + m_verdict.identity.reason;
      case Requirement::Kind::arch:
        return requirement.word == m_node.arch ? std::string{} : fmt::format("it is {}", printable(m_node.arch));
    }
    return "an unknown requirement";
  }

  [[nodiscard]] std::string lack_of_gpus(std::uint64_t wanted) const {
    if (wanted == 0) return {};
    if (const auto* claim = m_demand.gpu_claim) {
      if (claim->devices >= wanted) return {};
      return fmt::format("{} wanted, the ResourceClaimTemplate {} asks for {}", wanted, claim->name, claim->devices);
    }
    if (m_gpu == nullptr) return "it offers no GPU";
    const auto& name = m_verdict.gpu_resource;
    if (there(name) < wanted * thousandths)
      return fmt::format("{} wanted, {} {} there", wanted, there(name) / thousandths, name);
    if (free(name) < wanted * thousandths)
      return fmt::format("{} wanted, {} of {} {} free", wanted, free(name) / thousandths, there(name) / thousandths,
                         name);
    return {};
  }

  [[nodiscard]] std::string lack_of_gpu_memory(std::uint64_t wanted) const {
    if (const auto* claim = m_demand.gpu_claim)
      return fmt::format("how much memory a device of the ResourceClaimTemplate {} has is not known here", claim->name);
    if (m_gpu == nullptr) return "it offers no GPU";
    const bool of_resource = m_gpu->memory_label.starts_with('.');
    const auto label = m_node.labels.find((of_resource ? m_verdict.gpu_resource : "") + m_gpu->memory_label);
    if (m_gpu->memory_label.empty() || label == m_node.labels.end())
      return fmt::format("no label says how much memory a {} has", m_verdict.gpu_resource);
    const auto bytes = parse_quantity_milli(label->second).value_or(0) / thousandths * m_gpu->memory_unit;
    if (bytes >= wanted) return {};
    return fmt::format("{} wanted, {} there", human_size(wanted), human_size(bytes));
  }

  static std::string amount_of(const std::string& resource, std::uint64_t milli) {
    if (resource == "memory") return human_size(milli / thousandths);
    return fmt::format("{} processors", static_cast<double>(milli) / 1e3);
  }

  /// What the pod asks for, in thousandths, where it goes without `waived`.
  [[nodiscard]] std::uint64_t wanted(const std::string& resource, const std::vector<std::string>& waived) const {
    const auto requests = pod_requests(m_demand.manifest, waived);
    return resource == "memory" ? requests.memory * thousandths : requests.cpu;
  }

  [[nodiscard]] std::string lack_of_resource(const std::string& resource) const {
    const auto wanted = this->wanted(resource, {});
    if (free(resource) >= wanted) return {};
    const auto all = amount_of(resource, there(resource));
    auto out = there(resource) < wanted ? fmt::format("it gives pods {}", all)
                                        : fmt::format("{} of {} free", amount_of(resource, free(resource)), all);
    out += fmt::format(", the pod asks for {}", amount_of(resource, wanted));
    if (resource != "memory") return out;
    return out + fmt::format(" ({} of the manifest, 1/8 of that and 64 MiB for capsule-agent)",
                             human_size(m_demand.manifest.memory_bytes().value_or(0)));
  }

  /// What a pod asks for of its own accord, or instead of what this node has not and may lack.
  [[nodiscard]] std::string lack_of_what_any_pod_needs() const {
    std::vector<std::string> waived;
    for (const auto& [resource, quantity] : m_demand.manifest.resources) {
      auto text = fmt::format("{}:{}", resource, quantity);
      if (has(m_demand.allowed, text) && !lack_of_resource(resource).empty()) waived.push_back(std::move(text));
    }
    for (const std::string resource : {"cpu", "memory"}) {
      if (asks_for(m_demand.manifest, resource, waived) || m_node.allocatable.count(resource) == 0) continue;
      const auto wanted = this->wanted(resource, waived);
      if (there(resource) >= wanted) continue;
      return fmt::format("it gives pods {}, the pod asks for {}{}", amount_of(resource, there(resource)),
                         amount_of(resource, wanted), resource == "memory" ? " of memory" : "");
    }
    return {};
  }

  [[nodiscard]] std::string why_not_schedulable() const {
    if (!m_node.system.empty() && m_node.system != "linux")
      return fmt::format("its system is {}", printable(m_node.system));
    if (!m_node.ready) return "it is not Ready";
    for (const auto& [key, value] : m_demand.node_selector) {
      const auto found = m_node.labels.find(key);
      if (found == m_node.labels.end() || found->second != value)
        return fmt::format("it lacks the label {}={} of spec.template's nodeSelector", printable(key),
                           printable(value));
    }
    if (m_node.unschedulable) return "it is cordoned";
    for (const auto& taint : m_node.taints) {
      if (taint.effect == "PreferNoSchedule" || is_tolerated(taint)) continue;
      return fmt::format(
          "its taint {}{}{}:{} is not tolerated (spec.template.spec.tolerations of the ProofedDeployment)",
          printable(taint.key), taint.value.empty() ? "" : "=", printable(taint.value), taint.effect);
    }
    return lack_of_what_any_pod_needs();
  }

  [[nodiscard]] bool is_tolerated(const Taint& taint) const {
    const auto& all = m_demand.tolerations;
    return std::any_of(all.begin(), all.end(), [&](const json::Value& one) { return tolerates(one, taint); });
  }

  const PodDemand& m_demand;
  const Node& m_node;
  const GpuKind* m_gpu = nullptr;
  NodeVerdict m_verdict;
};

void refuse_unknown(const std::vector<std::string>& allowed, const std::vector<std::string>& requirements) {
  for (const auto& text : allowed) {
    if (!has(requirements, text) || text == can_go_there)
      throw Error{ErrorKind::usage, fmt::format("--allow-unmet: the capsule has no requirement '{}'", printable(text))};
  }
}

/// How many of the requirements a node lacks; those that are allowed only where `allowed` is null.
std::size_t lacks(const NodeVerdict& verdict, const std::vector<std::string>& requirements,
                  const std::vector<std::string>* allowed) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < requirements.size(); ++i)
    out += static_cast<std::size_t>(!verdict.reasons[i].empty() && (!allowed || !has(*allowed, requirements[i])));
  return out;
}

/// The reasons of all nodes against one requirement, in one line.
std::string reasons_of(const std::vector<NodeVerdict>& nodes, std::size_t requirement) {
  std::string out;
  std::size_t named = 0;
  std::size_t more = 0;
  for (const auto& node : nodes) {
    if (node.reasons[requirement].empty()) continue;
    if (named == max_named) {
      ++more;
      continue;
    }
    out += fmt::format("{}node {}: {}", named++ == 0 ? "" : ", ", printable(node.node), node.reasons[requirement]);
  }
  if (more > 0) out += fmt::format(", and {} more nodes", more);
  return out;
}

void report_on(ClusterCheck& check, const std::vector<std::string>& allowed) {
  const auto is_accepted = [&](const NodeVerdict& one) { return has(check.accepted, one.node); };
  for (std::size_t i = 0; i < check.requirements.size(); ++i) {
    const auto& text = check.requirements[i];
    const bool met = !check.nodes.empty() && std::all_of(check.nodes.begin(), check.nodes.end(), [&](const auto& one) {
      return one.reasons[i].empty() || (!check.accepted.empty() && !is_accepted(one));
    });
    if (met) {
      if (text != can_go_there) check.report.met.push_back(text);
    } else if (has(allowed, text)) {
      check.report.waived.push_back(text);
    } else {
      const auto why = reasons_of(check.nodes, i);
      check.report.unmet.push_back(
          {text, why.empty() ? "the cluster has no node" : why, text != can_go_there && !why.empty()});
    }
  }
}

void choose_gpu_resource(ClusterCheck& check, const PodDemand& demand) {
  for (const auto& requirement : demand.manifest.requirements) {
    if (requirement.kind != Requirement::Kind::gpu || requirement.amount == 0) continue;
    if (has(check.report.waived, requirement.text) || check.accepted.empty()) continue;
    if (demand.gpu_claim != nullptr) {
      check.gpu_claim = demand.gpu_claim->name;
      continue;
    }
    // A pod asks for one kind: that of the first node that is accepted, and for nodes that have it.
    check.gpu_resource = check.find(check.accepted.front())->gpu_resource;
    std::erase_if(check.accepted,
                  [&](const std::string& node) { return check.find(node)->gpu_resource != check.gpu_resource; });
  }
}

}  // namespace

const std::vector<GpuKind>& known_gpus() {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;
  static const std::vector<GpuKind> kinds{{"nvidia.com/gpu", "nvidia.com/gpu.memory", mebibyte},
                                          {"nvidia.com/mig-*", ".memory", mebibyte},
                                          {"amd.com/gpu", "", 1},
                                          {"gpu.intel.com/i915", "", 1},
                                          {"gpu.intel.com/xe", "", 1}};
  return kinds;
}

const NodeVerdict* ClusterCheck::find(std::string_view node) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const NodeVerdict& one) { return one.node == node; });
  return found == nodes.end() ? nullptr : &*found;
}

std::vector<std::string> ClusterCheck::table() const {
  std::vector<std::string> out;
  for (const auto& node : nodes) {
    for (std::size_t i = 0; i < requirements.size(); ++i) {
      out.push_back(fmt::format("{}  {}  {}", printable(node.node), requirements[i],
                                node.reasons[i].empty() ? "yes" : "no: " + node.reasons[i]));
    }
  }
  if (!said_of_claim.empty()) out.push_back(said_of_claim);
  if (!capacity_checked) out.emplace_back("capacity not checked: what runs there already is not known here");
  return out;
}

ClusterCheck check_nodes(const PodDemand& demand, const std::vector<Node>& nodes,
                         const deploy::Certifiers& certifiers) {
  const auto needs = needs_of(demand.manifest);
  ClusterCheck check;
  check.capacity_checked = demand.requested != nullptr;
  if (const auto* claim = demand.gpu_claim)
    check.said_of_claim = fmt::format(
        "the ResourceClaimTemplate {} is there; whether a node has free devices for it is not checked", claim->name);
  for (const auto& need : needs) check.requirements.push_back(need.text);
  refuse_unknown(demand.allowed, check.requirements);
  std::size_t best = check.requirements.size();
  for (const auto& node : nodes) {
    Judge judge{demand, node, certifiers};
    for (const auto& need : needs) judge.hold(need);
    check.nodes.push_back(std::move(judge).verdict());
    if (lacks(check.nodes.back(), check.requirements, &demand.allowed) == 0)
      best = std::min(best, lacks(check.nodes.back(), check.requirements, nullptr));
  }
  for (const auto& node : check.nodes) {
    if (lacks(node, check.requirements, &demand.allowed) == 0 && lacks(node, check.requirements, nullptr) == best)
      check.accepted.push_back(node.node);
  }
  report_on(check, demand.allowed);
  choose_gpu_resource(check, demand);
  return check;
}

}  // namespace capsule::cluster
