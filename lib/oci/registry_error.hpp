#pragma once

#include <string>
#include <string_view>

#include "http/client.hpp"

namespace capsule::oci {

/// Throws what a registry's answer stands for unless its status is 2xx. Its body (distribution-spec 1.1, "Error Codes":
/// {"errors":[{"code","message"}]}) says more than the status: a manifest whose parts are missing is invalid_input
/// although the status is 404, a digest that does not hold is verification_failed. The message:
/// "<what>: <url without query> answers 404 Not Found: MANIFEST_UNKNOWN: manifest unknown".
void expect_registry_success(const http::Response& response, std::string_view what);

/// "CODE: message" of the first error of a body, one printable line; the body's first line where it is no such
/// document.
std::string registry_words(std::string_view body);

}  // namespace capsule::oci
