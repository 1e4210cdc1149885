#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace capsule::json {

/// `pointer` (RFC 6901) extended by a member's name or an element's index.
std::string child(std::string_view pointer, std::string_view key);
std::string child(std::string_view pointer, std::size_t index);

}  // namespace capsule::json
