#pragma once

#include <chrono>
#include <string>

#include "fs/fd.hpp"
#include "process/process.hpp"

namespace capsule::deploy {

/// The user as which capsule code runs where we may choose: the one that images use.
inline constexpr unsigned capsule_user = 65532;

/// A folder that capsule code may write: made if missing, owned by capsule_user when we are root, mode 0700.
void make_writable_folder(const fs::Path& folder);

/// The command that runs a file of an unpacked capsule as architecture and README say: by the interpreter that its `#!`
/// line names, `python3` for `.py` without one, else itself; working folder = the capsule's root; a clean environment
/// with CAPSULE_ROOT, CAPSULE_DATA, HOME and TMPDIR below `data`; confined. Error invalid_input when no interpreter
/// fits.
process::Command capsule_command(const fs::Path& root, const std::string& file, const fs::Path& data);

}  // namespace capsule::deploy
