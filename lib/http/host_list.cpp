#include "http/host_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule::http {

namespace {

/// Whether `text` ends with ":PORT"; the colons of an IPv6 address are inside brackets.
bool has_port(std::string_view text) noexcept {
  const auto colon = text.rfind(':');
  return colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos;
}

/// An IPv6 address without brackets, and so without a port: what an option parser leaves of "[::1]", for it takes the
/// brackets for those of a list.
bool is_bare_address(std::string_view text) noexcept {
  return std::count(text.begin(), text.end(), ':') > 1 && text.front() != '[';
}

}  // namespace

HostList::HostList(const std::vector<std::string>& hosts) {
  for (const auto& host : hosts) add(host);
}

void HostList::add(std::string_view host) {
  const auto refuse = [&] {
    throw Error{ErrorKind::usage, fmt::format("'{}' is no HOST or HOST:PORT", printable(host))};
  };
  const auto authority = is_bare_address(host) ? fmt::format("[{}]", host) : std::string{host};
  if (authority.find_first_of("/?#@") != std::string::npos || authority.ends_with(':')) refuse();
  try {
    const auto url = Url::parse(fmt::format("https://{}/", authority));
    m_entries.push_back({url.host(), has_port(authority) ? url.port() : std::uint16_t{0}});
  } catch (const Error&) {
    refuse();
  }
}

bool HostList::names(const Url& url) const noexcept {
  return std::any_of(m_entries.begin(), m_entries.end(), [&](const Entry& entry) {
    return entry.host == url.host() && (entry.port == 0 || entry.port == url.port());
  });
}

}  // namespace capsule::http
