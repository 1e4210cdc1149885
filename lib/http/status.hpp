#pragma once

#include "core/error.hpp"

namespace capsule::http {

/// What a status that is no success stands for: see expect_success() in http/client.hpp.
ErrorKind kind_of_status(int status) noexcept;

}  // namespace capsule::http
