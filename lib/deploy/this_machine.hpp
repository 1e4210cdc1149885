#pragma once

#include <memory>

#include "deploy/target.hpp"
#include "deploy/workload.hpp"

namespace capsule::deploy {

struct ThisMachineOptions {
  fs::Path state_folder;
  std::chrono::milliseconds time_limit{std::chrono::minutes{10}};  ///< of install.sh, of healthcheck.sh, of a run: each
  double watts = 15;  ///< of one busy core, where the processor does not measure energy
};

/// This machine: scripts and runs are child processes, as user 65532 and without network where that is to be had
/// (root), with limits on time, memory, processes and output, and a clean environment.
class ThisMachine final : public Target {
 public:
  explicit ThisMachine(ThisMachineOptions options);
  /// The same, with what somebody has found out of it.
  ThisMachine(ThisMachineOptions options, Host host);
  [[nodiscard]] std::string id() const override;
  [[nodiscard]] CapabilityReport check(const Manifest& manifest,
                                       const std::vector<std::string>& allowed) const override;
  void prepare(const VerifiedCapsule& capsule, const fs::Path& root) override;
  RunFacts run(const VerifiedCapsule& capsule, const fs::Path& root, const RunRequest& request) override;
  [[nodiscard]] RunPlace place() const override;
  /// The capsule at `root`, with its data and what says that it is installed below the state folder.
  [[nodiscard]] Workload workload(const VerifiedCapsule& capsule, const fs::Path& root) const;

 private:
  ThisMachineOptions m_options;
  Host m_host;
};

}  // namespace capsule::deploy
