#pragma once

#include <cstdint>
#include <optional>

#include "cluster/deployed_object.hpp"
#include "cluster/ownership.hpp"
#include "cluster/pod_template.hpp"
#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What is there of a deployment before a deploy changes it: what a roll-out that fails goes back to.
struct FormerState {
  std::optional<json::Value> object;      ///< nothing: there is none, or none that was up
  std::optional<json::Value> deployment;  ///< nothing: there is none
  std::optional<json::Value> trust;       ///< the ConfigMap with the keys that the pods trust; nothing: there is none

  /// The highest fencing number of the objects that the ProofedDeployment object owns.
  [[nodiscard]] std::uint64_t highest_fence() const;
};

/// Waits until what is being removed is gone, and reads `object` again where that was. The trusted keys are looked for
/// where pods need them: not with CapsuleVolume::image. To be called before DeployedObject::take_over(). Error
/// timed_out.
FormerState look_at_former(kube::Client& client, DeployedObject& object, CapsuleVolume volume,
                           const Patience& patience);

}  // namespace capsule::cluster
