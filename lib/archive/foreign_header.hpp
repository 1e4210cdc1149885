#pragma once

#include <string_view>

namespace capsule::archive {

/// Looks at the header blocks of one entry of another tool's tar (extensions first, its own last) for what libarchive
/// does not show and what readers disagree about: a NUL byte inside of a name of a pax record, where one reader stops
/// and another refuses; a sparse file in any of its forms (GNU, pax), of which a few bytes can claim a terabyte; a pax
/// record that cannot be parsed. Error invalid_input.
void check_foreign_header(std::string_view blocks);

}  // namespace capsule::archive
