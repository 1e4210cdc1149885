#include "oci/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "core/url.hpp"

namespace capsule::oci {

namespace {

constexpr std::string_view layout_scheme = "oci-layout:";
constexpr std::string_view registry_scheme = "oci://";

/// A folder may have any name; before an '@' in anything else credentials may stand.
std::string shown(std::string_view text) {
  return text.starts_with(layout_scheme) ? printable(text, 300) : without_userinfo(text);
}

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw Error{ErrorKind::usage, fmt::format("'{}' {}", shown(text), reason)};
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

/// alpha-numeric runs joined by one '.', one or two '_', or any number of '-' (distribution-spec 1.1, "Pulling
/// manifests").
bool is_path_component(std::string_view text) noexcept {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_lower_or_digit(text[i])) {
      ++i;
      continue;
    }
    const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), is_lower_or_digit);
    const auto joint = text.substr(i, static_cast<std::size_t>(end - text.begin()) - i);
    if (joint != "." && joint != "_" && joint != "__" && joint.find_first_not_of('-') != std::string_view::npos)
      return false;
    i += joint.size();
  }
  return true;
}

bool is_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port != 0 && text.front() != '0';
}

/// [ADDRESS] in its one spelling; an IPv4 address in IPv6's clothes has one already.
bool is_ipv6_host(std::string_view text) noexcept {
  if (text.find('.') != std::string_view::npos) return false;
  try {
    return fmt::format("[{}]", Url::parse(fmt::format("https://{}/", text)).host()) == text;
  } catch (...) {
    return false;
  }
}

bool is_host(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const auto end = std::min(text.find(']'), text.size() - 1) + 1;
    const auto port = text.substr(end);
    return is_ipv6_host(text.substr(0, end)) && (port.empty() || (port.front() == ':' && is_port(port.substr(1))));
  }
  const auto colon = text.find(':');
  const auto host = text.substr(0, colon);
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return false;
  return is_path_component(host) && host.find('_') == std::string_view::npos;
}

/// What is no folder's name by mistake: a host has a dot or a port, or is localhost.
bool looks_like_host(std::string_view text) noexcept {
  return text.find_first_of(".:") != std::string_view::npos || text == "localhost";
}

}  // namespace

bool is_tag(std::string_view tag) noexcept {
  if (tag.empty() || tag.size() > 128 || !is_word(tag.front())) return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_repository(std::string_view name) noexcept {
  constexpr std::size_t longest = 255;
  if (name.size() > longest) return false;
  while (true) {
    const auto slash = name.find('/');
    if (!is_path_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

bool is_registry_place(std::string_view text) noexcept {
  const auto slash = text.find('/');
  return is_host(text.substr(0, slash)) && (slash == std::string_view::npos || is_repository(text.substr(slash + 1)));
}

RegistryLocation RegistryLocation::parse(std::string_view text, std::shared_ptr<const Access> access) {
  RegistryLocation out;
  auto place = text;
  out.m_layout = place.starts_with(layout_scheme);
  if (out.m_layout)
    place.remove_prefix(layout_scheme.size());
  else if (place.starts_with(registry_scheme))
    place.remove_prefix(registry_scheme.size());
  while (place.size() > 1 && place.ends_with('/')) place.remove_suffix(1);
  if (place.empty() || has_control(place))
    refuse(text, "names no registry: oci-layout:DIR or oci://HOST[:PORT]/BASE is wanted");
  if (!out.m_layout) {
    const bool named = text.starts_with(registry_scheme) || looks_like_host(place.substr(0, place.find('/')));
    if (!named || !is_registry_place(place)) {
      refuse(text,
             "is no registry: oci-layout:DIR or oci://HOST[:PORT]/BASE is wanted, in lower case, no component empty or "
             "of dots");
    }
  }
  out.m_place = place;
  out.m_access = std::move(access);
  return out;
}

std::string RegistryLocation::host() const {
  return m_place.substr(0, m_place.find('/'));
}

std::string RegistryLocation::repository(std::string_view name) const {
  const auto slash = m_place.find('/');
  return slash == std::string::npos ? std::string{name} : fmt::format("{}/{}", m_place.substr(slash + 1), name);
}

const Access& RegistryLocation::access() const noexcept {
  static const Access defaults;
  return m_access ? *m_access : defaults;
}

std::string RegistryLocation::text() const {
  return fmt::format("{}{}", m_layout ? layout_scheme : registry_scheme, m_place);
}

bool Reference::looks_like(std::string_view text) noexcept {
  return text.starts_with(layout_scheme) || text.starts_with(registry_scheme);
}

Reference Reference::parse(std::string_view text, std::shared_ptr<const Access> access) {
  const auto slash = text.rfind('/');
  if (slash == std::string_view::npos)
    refuse(text, "is no reference: <registry>/<name>[:<tag>][@sha256:<hex>] is wanted");
  Reference out;
  auto rest = text.substr(slash + 1);
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    out.digest = as_usage(fmt::format("in '{}'", shown(text)), [&] { return Digest::parse(rest.substr(at + 1)); });
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
                                             : text.substr(0, slash),
                                         std::move(access));
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
