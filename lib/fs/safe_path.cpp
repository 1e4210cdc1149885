#include "fs/safe_path.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace capsule::fs {

namespace {

/// Why a component may not stand in a path; empty if it may.
std::string_view fault_of(std::string_view component) {
  if (component.empty()) return "an empty component";
  if (component == "." || component == "..") return "a '.' or '..' component";
  if (component.size() > 255) return "a component of over 255 bytes";
  if (component.starts_with(".wh.")) return "a component that begins with .wh. (an OCI whiteout)";
  return {};
}

}  // namespace

SafePath SafePath::parse(std::string_view text) {
  const auto refuse = [&](std::string_view reason) {
    throw Error{ErrorKind::invalid_input, fmt::format("the path '{}' is refused: {}", printable(text), reason)};
  };
  if (text.empty()) refuse("it is empty");
  if (text.size() > max_bytes) refuse(fmt::format("it is over {} bytes", max_bytes));
  if (text.front() == '/') refuse("it is absolute");
  const bool control = std::any_of(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\'; });
  if (control) refuse("it has a control character or a backslash");
  if (!utf8::is_valid(text)) refuse("it is not valid UTF-8");
  for (auto rest = text;;) {
    const auto slash = rest.find('/');
    if (const auto fault = fault_of(rest.substr(0, slash)); !fault.empty()) refuse(fault);
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return SafePath{std::string{text}};
}

}  // namespace capsule::fs
