#pragma once

#include <string_view>

namespace capsule::http {

/// Whether two hosts (lower case, as Url::host gives them) are the same, or lie in one domain that somebody registered:
/// one label below a public suffix (publicsuffix.org, private section too, as built into libpsl). Addresses and names
/// of one label are in no domain: they are the same or not.
bool same_registrable_domain(std::string_view left, std::string_view right);

}  // namespace capsule::http
