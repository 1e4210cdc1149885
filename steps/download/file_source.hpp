#pragma once

#include "download.hpp"

namespace download {

/// Copies a package file, and the siblings that stand beside it, into the store. The file is hashed first: one whose
/// digest is there already is not copied.
Result fetch_file(const capsule::fs::Path& path, const Order& order, const Surroundings& surroundings);

}  // namespace download
