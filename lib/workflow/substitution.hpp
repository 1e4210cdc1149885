#pragma once

#include <string>
#include <string_view>

#include "json/value.hpp"
#include "workflow/expression.hpp"

namespace capsule::workflow {

/// `text` with each `{{name}}` and `{{=expression}}` replaced by its value. A value is never scanned again, so that a
/// parameter cannot bring a tag of its own. An unknown name is Error usage that names it: never an empty string.
std::string substitute(std::string_view text, const Lookup& lookup);

/// Error usage unless substitute() could do its work: every tag is closed and known, every expression understood.
void check_tags(std::string_view text, const Lookup& lookup);

/// A value as the text that a parameter is: a string as it is, all else as JSON.
std::string parameter_text(const json::Value& value);

}  // namespace capsule::workflow
