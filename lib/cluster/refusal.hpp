#pragma once

#include <string>

#include "core/error.hpp"

namespace capsule::cluster {

/// Why the API server would take an object as little the next time: no right, no room in a quota, something in it that
/// this cluster does not take, a field that another manager wants otherwise; as the reason of a condition. Empty: the
/// error is none of these. Pure.
std::string refusal_behind(const Error& error);

}  // namespace capsule::cluster
