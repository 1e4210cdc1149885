#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "process/process.hpp"

namespace capsule::process {

/// Error usage naming `what` where the text holds a NUL byte: exec would cut it there.
void check_text(std::string_view text, std::string_view what);

/// argv, the program first, and `name=value` of the environment, as exec wants them. Error usage for what it would not
/// take.
std::vector<std::string> argument_texts(const Command& command);
std::vector<std::string> environment_texts(const Command& command);

/// For exec: null at the end. The texts must not move any more.
std::vector<char*> pointers_to(std::vector<std::string>& texts);

}  // namespace capsule::process
