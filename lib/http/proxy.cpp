#include "http/proxy.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "http/address.hpp"

namespace capsule::http {

namespace {

std::string_view first_set(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = environment(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool matches(std::string_view host, std::string_view entry) {
  if (entry == "*") return true;
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (in_block(host, entry)) return true;
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || host.size() < entry.size()) return false;
  const auto tail = host.substr(host.size() - entry.size());
  const bool same = std::equal(tail.begin(), tail.end(), entry.begin(), [](char a, char b) {
    return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
  });
  return same && (host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.');
}

bool is_exempt(std::string_view host, std::string_view list) {
  while (!list.empty()) {
    const auto end = list.find_first_of(", \t");
    const auto entry = list.substr(0, end);
    if (!entry.empty() && matches(host, entry)) return true;
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  }
  return false;
}

}  // namespace

std::optional<Secret> proxy_for(const Url& url, const Environment& environment) {
  if (url.is_loopback() || url.scheme() != "https") return std::nullopt;
  const auto proxy = first_set(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  if (proxy.empty() || is_exempt(url.host(), first_set(environment, {"no_proxy", "NO_PROXY"}))) return std::nullopt;
  return Secret{std::string{proxy}};
}

}  // namespace capsule::http
