#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace capsule::workflow {

/// Why a workflow failed: the step whose pod said so.
struct Reason {
  std::string step;              ///< its display name, without the number of the attempt
  std::optional<int> exit_code;  ///< nothing where no container ended: a lost pod, a time limit
  std::string text;              ///< the container's last words, or what Argo says of the pod; one line
};

/// The reason in `workflow.failures`, JSON inside a JSON string, which lists the groups and retries above a failed pod
/// too; of several attempts the last. Nothing after a success ("null"). Error invalid_input.
std::optional<Reason> reason_in(std::string_view failures);

}  // namespace capsule::workflow
