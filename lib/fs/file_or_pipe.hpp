#pragma once

#include "fs/fd.hpp"

namespace capsule::fs {

/// As read_file() has it, of what may be a pipe, too: that is what a shell makes of `<(command)`. Waits until its
/// writer closes it.
std::string read_file_or_pipe(const Path& path, std::size_t limit);

}  // namespace capsule::fs
