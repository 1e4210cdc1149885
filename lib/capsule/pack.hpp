#pragma once

#include <string>
#include <vector>

#include "capsule/manifest.hpp"
#include "capsule/package_head.hpp"
#include "capsule/package_writer.hpp"
#include "core/digest.hpp"
#include "fs/fd.hpp"
#include "log/progress.hpp"

namespace capsule {

struct PackRequest {
  fs::Path folder;  ///< the capsule: the folder that holds capsule.json
  /// Where the package goes: an existing folder, or a path with a trailing slash (created), gets it under its canonical
  /// name; anything else is the file.
  std::string out;
  Compression compression = Compression::store;
  PackageLimits limits = {};
  log::Progress* progress = nullptr;
};

struct PackResult {
  fs::Path package;
  Manifest manifest;
  Digest capsule_digest;
  std::uint64_t package_size = 0;    ///< bytes
  std::vector<std::string> skipped;  ///< what the package does not have: relative paths
  bool already_there = false;        ///< the file held this capsule, and was left alone
};

/// Makes the canonical package of a capsule folder: the same content gives the same bytes on every machine. A package
/// of the same capsule that is there already, signed or not, is left alone; one of another capsule is replaced, in one
/// step. Errors: invalid_input (what a capsule cannot hold, a file that changes meanwhile), not_found, denied, conflict
/// (what is there is no package), usage.
PackResult pack_folder(const PackRequest& request);

}  // namespace capsule
