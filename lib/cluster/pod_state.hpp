#pragma once

#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/time.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

/// Why a pod does not come up.
struct Trouble {
  ErrorKind kind{};
  std::string reason;  ///< one word, as a condition has it: ImagePull, Crashed, Unschedulable, Quota, PodSecurity, …
  std::string text;    ///< one line, with the pod's last words where it has some
  bool may_pass = false;  ///< others may make room, a registry may come back: only what stays so for a while counts

  [[nodiscard]] Error error() const;
};

/// What we want to know of one of our pods.
struct PodState {
  std::string name;
  std::string uid;
  std::string version;  ///< resourceVersion
  std::string node;
  std::string run;  ///< the run that has claimed it; empty: none
  bool is_ready = false;
  bool is_running = false;  ///< its init containers have ended
  bool is_going = false;    ///< it is being deleted, or has ended
  std::optional<Trouble> trouble;
};

/// Pure.
PodState pod_state(const json::Value& pod);

/// Why no pod is made at all: what the ReplicaSet's controller was refused (quota, pod security). Nothing
/// where the status is about an earlier spec. Pure.
std::optional<Trouble> trouble_of_deployment(const json::Value& deployment);

/// Why the pods of a Deployment's present spec do not come up, one line, while those of a former one may go on; empty:
/// they have come up, or may yet. Pure.
std::string why_not_rolled_out(const json::Value& deployment, Time now);

/// Whether pods of a former spec of the Deployment are there, as its controller has seen it. Pure.
bool may_have_former_pods(const json::Value& deployment);

/// Whether the Deployment's controller has seen its last spec and has so many pods available, all of that spec. Pure.
bool is_rolled_out(const json::Value& deployment);

}  // namespace capsule::cluster
