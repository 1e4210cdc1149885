#include "deploy/capability.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "capsule/quantity.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace capsule::deploy {

namespace {

/// Why the host does not meet the requirement; empty if it does.
std::string lack(const Requirement& requirement, const Host& host) {
  switch (requirement.kind) {
    case Requirement::Kind::gpu:
      if (host.gpus.size() >= requirement.amount) return {};
      return host.gpus.empty() ? "no GPU driver shows a device (/dev/nvidia<n>, /dev/kfd)"
                               : fmt::format("{} wanted, {} there", requirement.amount, host.gpus.size());
    case Requirement::Kind::gpu_memory:
      if (host.gpus.empty()) return "there is no GPU";
      if (!host.gpu_memory_bytes) return "the GPU's driver does not say how much memory it has";
      if (*host.gpu_memory_bytes >= requirement.amount) return {};
      return fmt::format("{} wanted, {} there", human_size(requirement.amount), human_size(*host.gpu_memory_bytes));
    case Requirement::Kind::utid:
      // A soft binding is an identity that the machine claims for itself, and every machine has one (Host::id).
      if (requirement.word == "soft" || host.identity.binding == HostIdentity::Binding::certified) return {};
      return fmt::format("this machine has no certificate that binds a UTID to its hardware{}{}",
                         host.identity.reason.empty() ? "" : ": ", host.identity.reason);
    case Requirement::Kind::arch:
      return requirement.word == host.arch ? std::string{} : fmt::format("this machine is {}", host.arch);
  }
  return "an unknown requirement";
}

/// Something that is asked for: by what name it is waived, and why the host does not have it (empty: it does).
struct Need {
  std::string text;
  std::string lack;
};

constexpr std::uint64_t thousandths = 1000;

std::string lack_of_resource(const std::string& name, const std::string& quantity, const Host& host) {
  const auto wanted = parse_quantity_milli(quantity).value_or(0);
  if (name == "memory" && wanted / thousandths > host.memory_bytes)
    return fmt::format("this machine has {}", human_size(host.memory_bytes));
  if (name == "cpu" && wanted > host.processors * thousandths)
    return fmt::format("this machine has {} processors", host.processors);
  return {};
}

std::vector<Need> needs_of(const Manifest& manifest, const Host& host) {
  std::vector<Need> out;
  for (const auto& requirement : manifest.requirements) out.push_back({requirement.text, lack(requirement, host)});
  for (const auto& [name, quantity] : manifest.resources)
    out.push_back({fmt::format("{}:{}", name, quantity), lack_of_resource(name, quantity, host)});
  return out;
}

}  // namespace

void CapabilityReport::require_all_met() const {
  if (unmet.empty()) return;
  std::string list;
  for (const auto& entry : unmet)
    list += fmt::format("{}{} ({})", list.empty() ? "" : "; ", entry.requirement, entry.reason);
  const bool helps = std::all_of(unmet.begin(), unmet.end(), [](const Unmet& entry) { return entry.may_be_waived; });
  throw Error{ErrorKind::unmet_requirement, fmt::format("the target lacks what the capsule needs: {}{}", list,
                                                        helps ? "; --allow-unmet REQUIREMENT goes without one" : "")};
}

CapabilityReport check_capabilities(const Manifest& manifest, const Host& host,
                                    const std::vector<std::string>& allowed) {
  const auto is_allowed = [&](const std::string& text) {
    return std::find(allowed.begin(), allowed.end(), text) != allowed.end();
  };
  const auto needs = needs_of(manifest, host);
  for (const auto& text : allowed) {
    const bool known = std::any_of(needs.begin(), needs.end(), [&](const Need& need) { return need.text == text; });
    if (!known)
      throw Error{ErrorKind::usage, fmt::format("--allow-unmet: the capsule has no requirement '{}'", printable(text))};
  }
  CapabilityReport report;
  for (const auto& [text, reason] : needs) {
    if (reason.empty())
      report.met.push_back(text);
    else if (is_allowed(text))
      report.waived.push_back(text);
    else
      report.unmet.push_back({text, reason});
  }
  return report;
}

}  // namespace capsule::deploy
