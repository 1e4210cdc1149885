#include "core/url.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.hpp"

namespace capsule {

namespace {

/// A digest, which may be cut or wrong; no host of that name, which has a port or a path behind it.
bool is_digest_part(std::string_view text) {
  constexpr std::string_view algorithm = "@sha256:";
  if (!text.starts_with(algorithm)) return false;
  const auto value = text.substr(algorithm.size());
  const bool is_port = !value.empty() && value.size() < 6 && value.front() != '0' &&
                       value.find_first_not_of("0123456789") == std::string_view::npos;
  return !is_port && value.find('/') == std::string_view::npos;
}

}  // namespace

std::string without_userinfo(std::string_view text) {
  const auto slashes = text.find("//");
  const auto authority = slashes == std::string_view::npos ? 0 : slashes + 2;
  auto at = text.rfind('@');
  if (at != std::string_view::npos && is_digest_part(text.substr(at))) at = text.substr(0, at).rfind('@');
  if (at == std::string_view::npos || at <= authority) return printable(text, 300);
  return printable(fmt::format("{}…{}", text.substr(0, authority), text.substr(at)), 300);
}

namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw Error{ErrorKind::usage, fmt::format("not a usable URL, {}: {}", reason, without_userinfo(text))};
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.front() != '.' && host.front() != '-' && host.find("..") == std::string_view::npos &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

/// The one spelling of an IPv6 address (RFC 5952, as inet_ntop writes it); empty for what is none, a zone id with it.
std::string canonical_ipv6(const std::string& text) {
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return {};
  return ::inet_ntop(AF_INET6, &address, out.data(), out.size()) == nullptr ? std::string{} : std::string{out.data()};
}

std::uint16_t parse_port(std::string_view text, std::string_view whole) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0)
    refuse(whole, "its port is no number from 1 to 65535");
  return port;
}

void check_path(std::string_view path, std::string_view whole) {
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const auto part = rest.substr(0, rest.find('/'));
    const auto plain = lower(part);
    if (part == "." || part == ".." || plain.find("%2e") != std::string::npos ||
        plain.find("%2f") != std::string::npos || plain.find("%00") != std::string::npos ||
        plain.find("%5c") != std::string::npos) {
      refuse(whole, "its path has a dot segment or an encoded slash, dot or NUL");
    }
    rest.remove_prefix(part.size());
  }
}

}  // namespace

Url Url::parse(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>';
  });
  if (!plain || text.size() > 4096)
    refuse(text, "it has white space, a control or a non-ASCII character, or is over 4096 bytes");
  Url url;
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) refuse(text, "it has no scheme (https://…)");
  url.m_scheme = lower(text.substr(0, colon));
  if (url.m_scheme != "http" && url.m_scheme != "https") refuse(text, "its scheme is neither http nor https");
  const auto rest = text.substr(colon + 3);
  if (rest.find('#') != std::string_view::npos) refuse(text, "it has a fragment");
  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.find('@') != std::string_view::npos) refuse(text, "credentials do not belong into a URL");
  const auto tail = rest.substr(authority.size());
  const bool bracketed = authority.starts_with('[');
  const auto host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && host_end == std::string_view::npos) refuse(text, "its IPv6 address has no closing bracket");
  url.m_host =
      bracketed ? canonical_ipv6(std::string{authority.substr(1, host_end - 1)}) : lower(authority.substr(0, host_end));
  if (bracketed ? url.m_host.empty() : !is_host_name(url.m_host)) refuse(text, "its host is no host name or address");
  const auto after =
      host_end == std::string_view::npos ? std::string_view{} : authority.substr(bracketed ? host_end + 1 : host_end);
  if (!after.empty() && after.front() != ':') refuse(text, "there is something between its host and its port");
  url.m_port = after.size() > 1 ? parse_port(after.substr(1), text) : (url.m_scheme == "https" ? 443 : 80);
  const auto question = tail.find('?');
  url.m_path = std::string{tail.substr(0, question)};
  if (url.m_path.empty()) url.m_path = "/";
  check_path(url.m_path, text);
  if (question != std::string_view::npos) url.m_query = std::string{tail.substr(question + 1)};
  return url;
}

std::string Url::origin() const {
  const bool standard = m_port == (m_scheme == "https" ? 443 : 80);
  const std::string shown = m_host.find(':') == std::string::npos ? m_host : fmt::format("[{}]", m_host);
  return standard ? fmt::format("{}://{}", m_scheme, shown) : fmt::format("{}://{}:{}", m_scheme, shown, m_port);
}

std::string Url::text() const {
  return m_query.empty() ? loggable() : fmt::format("{}?{}", loggable(), m_query);
}

std::string Url::loggable() const {
  return origin() + m_path;
}

bool Url::is_loopback() const noexcept {
  if (m_host == "localhost" || m_host == "::1") return true;
  const bool dotted =
      std::all_of(m_host.begin(), m_host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return dotted && m_host.starts_with("127.") && std::count(m_host.begin(), m_host.end(), '.') == 3;
}

bool Url::same_origin(const Url& other) const noexcept {
  return m_scheme == other.m_scheme && m_host == other.m_host && m_port == other.m_port;
}

Url Url::with_path(std::string_view path, std::string_view query) const {
  return parse(query.empty() ? fmt::format("{}{}", origin(), path) : fmt::format("{}{}?{}", origin(), path, query));
}

Url Url::resolve(std::string_view location) const {
  if (location.find("://") != std::string_view::npos) return parse(location);
  if (location.starts_with("//")) return parse(fmt::format("{}:{}", m_scheme, location));
  if (location.starts_with('/')) return parse(origin() + std::string{location});
  if (location.starts_with('?')) return parse(origin() + m_path + std::string{location});
  return parse(origin() + m_path.substr(0, m_path.rfind('/') + 1) + std::string{location});
}

}  // namespace capsule
