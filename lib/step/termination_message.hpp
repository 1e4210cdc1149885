#pragma once

#include <string_view>

namespace capsule::step {

/// What a pod's status shows of the end of its container, and Argo of its node: one line, at most 1 KiB, into
/// /dev/termination-log. Does nothing where there is none: outside of a pod.
void write_termination_message(std::string_view message);

}  // namespace capsule::step
