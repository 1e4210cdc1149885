#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace capsule::archive {

/// One record, "<length> <key>=<value>\n", any bytes in its value.
struct PaxRecord {
  std::string_view key;
  std::string_view value;
};

/// Takes one record from the front of `text`. Error invalid_input.
PaxRecord take_pax_record(std::string_view& text);

/// What a pax header says about the next entry, as far as a capsule may have it.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::uint64_t> size;
};

enum class PaxScope { next_entry, global };

/// Parses "<length> <key>=<value>\n" records, strictly. Times, owners, attributes and comments are ignored; a second
/// record of one key, and every key that could change what an entry is (links, sparse files, other character sets) or
/// is not known, is Error invalid_input. So are path and size in a global header.
PaxRecords parse_pax(ByteView records, PaxScope scope);

}  // namespace capsule::archive
