#include "cluster/refusal.hpp"

#include "kube/status.hpp"

namespace capsule::cluster {

std::string refusal_behind(const Error& error) {
  const auto* answer = dynamic_cast<const kube::ApiError*>(&error);
  if (error.kind() == ErrorKind::unavailable && answer != nullptr && answer->status().code == 403) return "Quota";
  if (error.kind() == ErrorKind::unmet_requirement) return "NoImageVolumes";
  // That of a field is one that apply() has worded; the API server's own says that somebody was faster.
  if (error.kind() == ErrorKind::conflict && answer == nullptr) return "Conflict";
  return error.kind() == ErrorKind::denied || error.kind() == ErrorKind::invalid_input ? "Refused" : "";
}

}  // namespace capsule::cluster
