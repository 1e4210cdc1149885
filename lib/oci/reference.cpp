#include "oci/reference.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/semver.hpp"

namespace capsule::oci {

namespace {

constexpr std::string_view layout_scheme = "oci-layout:";
constexpr std::string_view registry_scheme = "oci://";

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw Error{ErrorKind::usage, fmt::format("'{}' {}", printable(text, 300), reason)};
}

bool is_lower_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_word(char c) noexcept {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// HOST[:PORT]/BASE: one canonical spelling, so that the same place is never two.
bool is_host_and_base(std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto host = text.substr(0, slash);
  if (host.empty() || !is_lower_or_digit(host.front())) return false;  // "..": a path
  if (host.find('.') == std::string_view::npos) {
    if (!host.starts_with("localhost") && host.find(':') == std::string_view::npos) return false;
  }
  const auto fits = [](char c) {
    return is_lower_or_digit(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '/';
  };
  return std::all_of(text.begin(), text.end(), fits) && text.find("//") == std::string_view::npos &&
         text.find("/.") == std::string_view::npos;
}

}  // namespace

bool is_tag(std::string_view tag) noexcept {
  if (tag.empty() || tag.size() > 128 || !is_word(tag.front())) return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

RegistryLocation RegistryLocation::parse(std::string_view text) {
  RegistryLocation out;
  auto place = text;
  out.m_layout = place.starts_with(layout_scheme);
  if (out.m_layout)
    place.remove_prefix(layout_scheme.size());
  else if (place.starts_with(registry_scheme))
    place.remove_prefix(registry_scheme.size());
  while (place.size() > 1 && place.ends_with('/')) place.remove_suffix(1);
  if (place.empty() || has_control(place)) refuse(text, "names no registry: oci-layout:DIR is wanted");
  if (!out.m_layout && !is_host_and_base(place)) {
    refuse(text,
           "is no registry: oci-layout:DIR is wanted (oci://HOST[:PORT]/BASE, a registry over HTTP, is not there yet)");
  }
  out.m_place = place;
  return out;
}

std::string RegistryLocation::text() const {
  return fmt::format("{}{}", m_layout ? layout_scheme : registry_scheme, m_place);
}

bool Reference::looks_like(std::string_view text) noexcept {
  return text.starts_with(layout_scheme) || text.starts_with(registry_scheme);
}

Reference Reference::parse(std::string_view text) {
  const auto slash = text.rfind('/');
  if (slash == std::string_view::npos)
    refuse(text, "is no reference: <registry>/<name>[:<tag>][@sha256:<hex>] is wanted");
  Reference out;
  auto rest = text.substr(slash + 1);
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    out.digest =
        as_usage(fmt::format("in '{}'", printable(text, 300)), [&] { return Digest::parse(rest.substr(at + 1)); });
    rest = rest.substr(0, at);
  }
  if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
    out.tag = rest.substr(colon + 1);
    if (!is_tag(*out.tag)) refuse(text, "has a tag that is none: letters, digits, '_', '.', '-', at most 128");
    rest = rest.substr(0, colon);
  }
  out.name = rest;
  if (!is_name(out.name)) {
    refuse(text, "does not end in a capsule's name: lower-case letters, digits and '-', at most 63");
  }
  out.registry = RegistryLocation::parse(slash == layout_scheme.size() && text.starts_with(layout_scheme)
                                             ? text.substr(0, slash + 1)
                                             : text.substr(0, slash));
  return out;
}

std::string Reference::text() const {
  const auto place = registry.text();
  auto out = fmt::format("{}{}{}", place, place.ends_with('/') ? "" : "/", name);
  if (tag) out += fmt::format(":{}", *tag);
  if (digest) out += fmt::format("@{}", digest->text());
  return out;
}

}  // namespace capsule::oci
