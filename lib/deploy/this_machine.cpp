#include "deploy/this_machine.hpp"

#include <fmt/format.h>

namespace capsule::deploy {

ThisMachine::ThisMachine(ThisMachineOptions options)
    : m_options(std::move(options)), m_host(inspect_host(m_options.state_folder)) {}

ThisMachine::ThisMachine(ThisMachineOptions options, Host host)
    : m_options(std::move(options)), m_host(std::move(host)) {}

std::string ThisMachine::id() const {
  return fmt::format("this-machine:{}", m_host.id);
}

CapabilityReport ThisMachine::check(const Manifest& manifest, const std::vector<std::string>& allowed) const {
  return check_capabilities(manifest, m_host, allowed);
}

Workload ThisMachine::workload(const VerifiedCapsule& capsule, const fs::Path& root) const {
  const std::string digest{capsule.capsule_digest().hex()};
  const auto& state = m_options.state_folder;
  return {root, capsule.manifest().entrypoint, state / "data" / digest, state / "installed" / digest,
          capsule.manifest().memory_bytes()};
}

void ThisMachine::prepare(const VerifiedCapsule& capsule, const fs::Path& root) {
  const auto work = workload(capsule, root);
  install(work, m_options.time_limit);
  check_health(work, m_options.time_limit);
}

RunFacts ThisMachine::run(const VerifiedCapsule& capsule, const fs::Path& root, const RunRequest& request) {
  return run_cold(workload(capsule, root), request.input(), m_options.time_limit, m_options.watts);
}

RunPlace ThisMachine::place() const {
  return {m_host.name, m_host.identity, m_host.gpus, {}};
}

}  // namespace capsule::deploy
