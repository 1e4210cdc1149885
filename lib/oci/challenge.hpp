#pragma once

#include <map>
#include <string>
#include <vector>

#include "http/headers.hpp"

namespace capsule::oci {

/// One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1): a scheme and its parameters, names in lower case.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;
};

/// All challenges of a response, in their order; several stand in one field or in several. A malformed field counts as
/// none.
std::vector<Challenge> challenges_of(const http::Headers& headers);

}  // namespace capsule::oci
