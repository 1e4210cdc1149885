#pragma once

#include <set>
#include <string>
#include <string_view>

#include "json/value.hpp"

namespace capsule::json {

/// Finds a key that comes twice while an object is built, in logarithmic time: an object in a file of a few MiB can
/// have 10⁶ keys.
class NewKeys {
 public:
  /// Whether `object`, which has grown by the keys asked for so far, lacks `key`.
  bool is_new(const Object& object, std::string_view key);

 private:
  std::set<std::string, std::less<>> m_seen;  ///< empty while the object is small
};

}  // namespace capsule::json
