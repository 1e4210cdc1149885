#include "json/lookup.hpp"

namespace capsule::json {

std::string text_at(const Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
}

std::string text_at(const Value& value, std::string_view pointer, std::string_view key) {
  const auto* found = value.at_pointer(pointer);
  const auto* object = found == nullptr ? nullptr : found->if_object();
  const auto* text = object == nullptr ? nullptr : object->find(key);
  return text == nullptr || text->if_string() == nullptr ? std::string{} : *text->if_string();
}

const Array& array_at(const Value& value, std::string_view pointer) {
  static const Array none;
  const auto* found = value.at_pointer(pointer);
  return found == nullptr || found->if_array() == nullptr ? none : *found->if_array();
}

}  // namespace capsule::json
