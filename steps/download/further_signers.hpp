#pragma once

#include <string>
#include <vector>

#include "download.hpp"

namespace download {

/// A server's folder cannot be listed. Suffixes of the bundles of those signers that the caller's trust policy may
/// count for the package in this file; none where it wants one signature and the package's own is that, where there is
/// no policy, or no capsule's head.
std::vector<std::string> wanted_bundles(const capsule::fs::Path& package, const Options& options);

}  // namespace download
