#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "process/confinement.hpp"
#include "process/process.hpp"

namespace capsule::deploy {

/// A folder that capsule code may write: made if missing, owned by process::capsule_user when we are root, mode 0700.
/// Not for a folder inside of one that it writes already: its path is followed.
void make_writable_folder(const fs::Path& folder);

/// Takes away what capsule code, which has ended, left in a folder, as far as we may.
void empty_folder(const fs::Path& folder);

/// Error denied, naming the folder, where the user as whom capsule code runs could not enter `folder` or one above it.
void require_passable(const fs::Path& folder);

/// A file of an unpacked capsule that is to run.
struct CapsuleCall {
  fs::Path root;                            ///< of the capsule; it may read, not write it
  std::string file;                         ///< below root
  fs::Path data;                            ///< its CAPSULE_DATA and HOME; it may write it
  std::vector<std::string> readable{};      ///< what else it may read
  std::vector<std::string> writable{};      ///< what else it may write
  std::optional<std::uint64_t> memory{};    ///< bytes that it asks for: process::usual_limits()
  std::optional<process::Volume> volume{};  ///< that holds what it writes; none: only the disk's reserve counts
  process::Network network = process::Network::none;
  std::optional<std::uint16_t> way_out{};  ///< without network: the one port of our loopback that it may reach
  bool only_way_out = false;               ///< it is not started where it could reach more
};

/// The command for that: by the interpreter that its `#!` line names, `python3` for `.py` without one, else itself;
/// working folder = the capsule's root; a clean environment with CAPSULE_ROOT, CAPSULE_DATA, HOME and TMPDIR; confined
/// (process/confinement.hpp). Error unmet_requirement when the interpreter is missing.
process::Command capsule_command(const CapsuleCall& call);

/// How such a command failed, with its last words, the last line of its stderr: usually what went wrong. Where it was
/// short of memory, of processes or of room on its disk, also how much there is, and what to do.
std::string describe_failure(const process::Result& result);

}  // namespace capsule::deploy
