#pragma once

#include <sys/types.h>

#include <string>

#include "fs/fd.hpp"
#include "fs/safe_path.hpp"

namespace capsule::fs {

/// Creates a new file `relative` below `root`, with the folders that it needs, through openat2 with RESOLVE_BENEATH and
/// RESOLVE_NO_SYMLINKS: nothing outside of `root` can be touched, whatever lies in it. An existing file is Error
/// conflict.
Fd create_beneath(const Path& root, const SafePath& relative, mode_t mode);

/// Opens a regular file below `root` for reading, following no link on the way. Error not_found, denied, invalid_input.
Fd open_beneath(const Path& root, const SafePath& relative);

/// The whole of such a file, which somebody else has made; Error invalid_input above `limit` bytes.
std::string read_beneath(const Path& root, const SafePath& relative, std::size_t limit);

}  // namespace capsule::fs
