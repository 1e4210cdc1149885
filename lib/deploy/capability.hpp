#pragma once

#include <string>
#include <vector>

#include "capsule/manifest.hpp"
#include "deploy/host.hpp"

namespace capsule::deploy {

struct Unmet {
  std::string requirement;  ///< as written in the manifest
  std::string reason;       ///< why not, in words
  bool may_be_waived = true;
};

struct CapabilityReport {
  std::vector<std::string> met;
  std::vector<std::string> waived;  ///< unmet, but allowed by the caller: recorded, never called attested
  std::vector<Unmet> unmet;

  /// Error unmet_requirement that lists every unmet requirement with its reason; nothing if there is none.
  void require_all_met() const;
};

/// Holds the requirements against the host, and the manifest's `resources`, as `memory:<quantity>` and
/// `cpu:<quantity>`. `allowed` are requirements, as written, that the caller goes without
/// (--allow-unmet); one that the manifest does not have is Error usage: a misspelt waiver must not pass in silence.
/// Pure.
CapabilityReport check_capabilities(const Manifest& manifest, const Host& host,
                                    const std::vector<std::string>& allowed);

}  // namespace capsule::deploy
