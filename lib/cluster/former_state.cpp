#include "cluster/former_state.hpp"

#include <algorithm>

#include "cluster/apply_in_turn.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/run_book.hpp"

namespace capsule::cluster {

namespace {

/// Whether pods of it came up, whatever the object's status says.
bool was_up(const DeployedObject& object, const json::Value& deployment) {
  const auto* ready = deployment.at_pointer("/status/readyReplicas");
  return (ready != nullptr && ready->if_number() != nullptr) ||
         RunBook::parse(object.annotation(annotation::runs)).has_record();
}

}  // namespace

std::uint64_t FormerState::highest_fence() const {
  return std::max(deployment ? fence_of(*deployment) : 0, trust ? fence_of(*trust) : 0);
}

FormerState look_at_former(kube::Client& client, DeployedObject& object, CapsuleVolume volume,
                           const Patience& patience) {
  const auto name = object.name();
  if (object.known() != nullptr && !text_at(*object.known(), "/metadata/deletionTimestamp").empty()) {
    static_cast<void>(find_settled(client, name, {}, {}, patience));
    object.read();
  }
  const auto uid = object.known() == nullptr ? std::string{} : text_at(*object.known(), "/metadata/uid");
  const auto find = [&](const kube::Name& owned) { return find_settled(client, owned, name.name, uid, patience); };
  FormerState out;
  out.deployment = find(deployment_of(name));
  if (volume == CapsuleVolume::download) out.trust = find(trust_config_of(name));
  // One whose first deploy was killed before a pod was up is nothing to go back to; a status may also have been lost.
  if (out.deployment && object.known() != nullptr &&
      (!text_at(*object.known(), "/status/phase").empty() || was_up(object, *out.deployment)))
    out.object = *object.known();
  return out;
}

}  // namespace capsule::cluster
