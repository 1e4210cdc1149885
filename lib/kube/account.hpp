#pragma once

#include <string>

#include "core/secret.hpp"

namespace capsule::kube {

/// The subject ("system:serviceaccount:NS:NAME") that a JSON web token is about; empty for what is none. Nothing is
/// verified: it is for messages alone.
std::string account_of(const Secret& token);

}  // namespace capsule::kube
