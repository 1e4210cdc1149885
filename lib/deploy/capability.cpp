#include "deploy/capability.hpp"

#include <fmt/format.h>

#include <algorithm>

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
      if (requirement.word == "soft") return {};
      return "this machine has no certificate that binds a UTID to its hardware";
    case Requirement::Kind::arch:
      return requirement.word == host.arch ? std::string{} : fmt::format("this machine is {}", host.arch);
  }
  return "an unknown requirement";
}

}  // namespace

void CapabilityReport::require_all_met() const {
  if (unmet.empty()) return;
  std::string list;
  for (const auto& entry : unmet)
    list += fmt::format("{}{} ({})", list.empty() ? "" : "; ", entry.requirement, entry.reason);
  throw Error{
      ErrorKind::unmet_requirement,
      fmt::format("the target lacks what the capsule needs: {}; --allow-unmet REQUIREMENT goes without one", list)};
}

CapabilityReport check_capabilities(const Manifest& manifest, const Host& host,
                                    const std::vector<std::string>& allowed) {
  const auto is_allowed = [&](const std::string& text) {
    return std::find(allowed.begin(), allowed.end(), text) != allowed.end();
  };
  for (const auto& text : allowed) {
    const bool known = std::any_of(manifest.requirements.begin(), manifest.requirements.end(),
                                   [&](const Requirement& r) { return r.text == text; });
    if (!known)
      throw Error{ErrorKind::usage, fmt::format("--allow-unmet: the capsule has no requirement '{}'", printable(text))};
  }
  CapabilityReport report;
  for (const auto& requirement : manifest.requirements) {
    const auto reason = lack(requirement, host);
    if (reason.empty())
      report.met.push_back(requirement.text);
    else if (is_allowed(requirement.text))
      report.waived.push_back(requirement.text);
    else
      report.unmet.push_back({requirement.text, reason});
  }
  return report;
}

}  // namespace capsule::deploy
