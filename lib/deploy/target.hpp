#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "capsule/verified_capsule.hpp"
#include "deploy/capability.hpp"
#include "deploy/run_record.hpp"
#include "fs/fd.hpp"

namespace capsule::deploy {

/// Where a capsule is deployed to: this machine; later a Kubernetes namespace.
class Target {
 public:
  Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  virtual ~Target() = default;

  /// The target as a run record names it, e.g. "this-machine:<id>".
  [[nodiscard]] virtual std::string id() const = 0;
  [[nodiscard]] virtual CapabilityReport check(const Manifest& manifest,
                                               const std::vector<std::string>& allowed) const = 0;
  /// Installs the capsule unless it is, and asks its health check. Error capsule_failed with the script's last words;
  /// timed_out.
  virtual void prepare(const VerifiedCapsule& capsule, const fs::Path& root) = 0;
  /// One run of the entrypoint. Error capsule_failed when it fails or gives no result; timed_out.
  virtual RunFacts run(const VerifiedCapsule& capsule, const fs::Path& root, const RunRequest& request) = 0;
  [[nodiscard]] virtual RunPlace place() const = 0;
};

}  // namespace capsule::deploy
