#pragma once

#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace capsule::yaml {

/// A file of ours has no use for anchors (`&a`), aliases (`*a`) and merge keys (`<<: *a`); other programs' files may.
enum class Aliases { refuse, expand };

struct ParseLimits {
  std::size_t bytes = std::size_t{4} << 20U;
  std::size_t depth = 64;
  Aliases aliases = Aliases::refuse;
};

/// Parses the documents of one YAML file into JSON values, as Kubernetes reads them (YAML 1.2 core schema: plain null,
/// true/false and numbers are typed, all that is quoted is a string). Throws Error usage that names `what`, line and
/// column: duplicate keys, keys that are no strings, anchors and aliases, tags, bad UTF-8, too large, too deep. Where
/// aliases are expanded, as kubectl does, what they hold is bounded; a merge key takes over what it names in its place:
/// what stands before it is replaced, what stands behind it replaces.
std::vector<json::Value> parse_all(std::string_view text, std::string_view what, const ParseLimits& limits = {});

/// The same for a file of exactly one document.
json::Value parse(std::string_view text, std::string_view what, const ParseLimits& limits = {});

}  // namespace capsule::yaml
