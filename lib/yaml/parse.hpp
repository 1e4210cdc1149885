#pragma once

#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace capsule::yaml {

struct ParseLimits {
  std::size_t bytes = std::size_t{4} << 20U;
  std::size_t depth = 64;
};

/// Parses the documents of one YAML file into JSON values, as Kubernetes reads them (YAML 1.2 core schema: plain null,
/// true/false and numbers are typed, all that is quoted is a string). Throws Error usage that names `what`, line and
/// column: duplicate keys, keys that are no strings, anchors and aliases, tags, bad UTF-8, too large, too deep.
std::vector<json::Value> parse_all(std::string_view text, std::string_view what, const ParseLimits& limits = {});

/// The same for a file of exactly one document.
json::Value parse(std::string_view text, std::string_view what, const ParseLimits& limits = {});

}  // namespace capsule::yaml
