#include "json/pointer.hpp"

#include <fmt/format.h>

namespace capsule::json {

std::string child(std::string_view pointer, std::string_view key) {
  std::string out{pointer};
  out += '/';
  for (const char c : key) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

std::string child(std::string_view pointer, std::size_t index) {
  return fmt::format("{}/{}", pointer, index);
}

}  // namespace capsule::json
