#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "json/cursor.hpp"
#include "json/value.hpp"

namespace capsule::oci {

/// A content descriptor (OCI image-spec 1.1, descriptor.md).
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;                          ///< bytes
  std::string artifact_type;                       ///< may be empty
  std::map<std::string, std::string> annotations;  ///< may be empty
  std::optional<json::Value> platform;

  [[nodiscard]] json::Value to_json() const;
  /// Error invalid_input with the pointer. `urls` are ignored.
  static Descriptor from_json(const json::Cursor& top);
};

}  // namespace capsule::oci
