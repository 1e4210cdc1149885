#include "json/lookup.hpp"

namespace capsule::json {

std::string text_at(const Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
}

const Array& array_at(const Value& value, std::string_view pointer) {
  static const Array none;
  const auto* found = value.at_pointer(pointer);
  return found == nullptr || found->if_array() == nullptr ? none : *found->if_array();
}

}  // namespace capsule::json
