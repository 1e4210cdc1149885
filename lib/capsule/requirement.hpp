#pragma once

#include <optional>
#include <string_view>

#include "capsule/manifest.hpp"

namespace capsule {

/// One entry of `requirements`; nothing if it is not one that is known.
std::optional<Requirement> parse_requirement(std::string_view text);

}  // namespace capsule
