#pragma once

#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "oci/layout_index.hpp"

namespace capsule::oci {

/// Finds entries of a large index.json without reading it: beside it stands `.capsule-loop/lookup`, a sorted table of
/// what may be asked for and where its entries are. The table says of which file it was made (inode, size, times); with
/// any other index.json (a tool that knows no table wrote it, the layout was copied, a writer was killed) all of it is
/// read, as where there is no table. So the table can be lost or stale at any moment; each entry that it gives is
/// parsed like those that are read as a whole. Who can write into the folder can hide an entry by it, as he can by
/// index.json.
constexpr std::size_t small_index_bytes = 4096;  ///< up to here index.json is read as a whole and has no table

/// The folder of what is ours beside OCI's own files.
fs::Path own_folder(const fs::Path& layout);

/// All of `layout`/index.json.
LayoutIndex read_whole_index(const fs::Path& layout);

/// Those entries that may carry one of `marks` (LayoutIndex::mark), or more.
LayoutIndex read_index(const fs::Path& layout, const std::vector<std::string>& marks);
/// A mark for entries without a tag and without a subject; at most `max_unmarked` of them are found.
constexpr std::string_view no_mark = "none";
constexpr std::size_t max_unmarked = 256;

/// Bytes of index.json, if a table fits it: then few of them need to be read. Else nothing.
std::optional<std::uint64_t> quick_index_size(const fs::Path& layout);

/// Replaces index.json, and then the table. For the holder of the writer's lock.
void write_index(const fs::Path& layout, const LayoutIndex& index);

}  // namespace capsule::oci
