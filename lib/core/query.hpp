#pragma once

#include <string>
#include <string_view>

namespace capsule {

/// What stands for itself in every part of a URL (RFC 3986, section 2.3).
bool is_unreserved(char c) noexcept;
/// A name or value of a query: all but unreserved characters percent-encoded (RFC 3986, section 2.1).
std::string query_encoded(std::string_view text);

}  // namespace capsule
