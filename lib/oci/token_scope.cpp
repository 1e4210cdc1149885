#include "oci/token_scope.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace capsule::oci {

namespace {

/// Calls `use` with each part of `text` that is not empty.
template <typename Use>
void split(std::string_view text, char separator, Use&& use) {
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// The name of the repository in `/v2/<name>/blobs/…` and the like; empty where there is none.
std::string_view repository_in(std::string_view path) {
  constexpr std::string_view prefix = "/v2/";
  constexpr std::array<std::string_view, 4> kinds{"/blobs/", "/manifests/", "/referrers/", "/tags/"};
  if (!path.starts_with(prefix)) return {};
  std::size_t end = 0;
  for (const auto kind : kinds) {
    const auto at = path.rfind(kind);
    if (at != std::string_view::npos) end = std::max(end, at);
  }
  return end <= prefix.size() ? std::string_view{} : path.substr(prefix.size(), end - prefix.size());
}

/// The source of a mount; its slashes may be encoded.
std::string mounted_from(std::string_view query) {
  std::string out;
  split(query, '&', [&](std::string_view parameter) {
    constexpr std::string_view key = "from=";
    if (parameter.starts_with(key)) out = parameter.substr(key.size());
  });
  for (const std::string_view slash : {"%2F", "%2f"}) {
    for (auto at = out.find(slash); at != std::string::npos; at = out.find(slash, at)) out.replace(at, 3, "/");
  }
  return out;
}

}  // namespace

Scopes::Scopes(std::string_view text) {
  split(text, ' ', [&](std::string_view scope) {
    // The name can hold a colon (HOST:PORT/…), the actions cannot.
    const auto colon = scope.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || scope.find(':') == colon) return;
    split(scope.substr(colon + 1), ',', [&](std::string_view action) { add(scope.substr(0, colon), action); });
  });
}

void Scopes::add(std::string_view resource, std::string_view action) {
  m_actions[std::string{resource}].emplace(action);
}

void Scopes::add(const Scopes& other) {
  for (const auto& [resource, actions] : other.m_actions) m_actions[resource].insert(actions.begin(), actions.end());
}

bool Scopes::cover(const Scopes& other) const {
  return std::all_of(other.m_actions.begin(), other.m_actions.end(), [&](const auto& wanted) {
    const auto had = m_actions.find(wanted.first);
    return had != m_actions.end() &&
           std::includes(had->second.begin(), had->second.end(), wanted.second.begin(), wanted.second.end());
  });
}

std::set<std::string> Scopes::texts() const {
  std::set<std::string> out;
  for (const auto& [resource, actions] : m_actions) out.insert(fmt::format("{}:{}", resource, fmt::join(actions, ",")));
  return out;
}

Scopes scopes_of(const http::Request& request) {
  Scopes out;
  if (request.url.path() == "/v2/_catalog") out.add("registry:catalog", "*");
  const auto repository = repository_in(request.url.path());
  if (repository.empty()) return out;
  const auto resource = fmt::format("repository:{}", repository);
  const bool reads = request.method == http::Method::get || request.method == http::Method::head;
  if (request.method == http::Method::del) {
    out.add(resource, "delete");
  } else {
    out.add(resource, "pull");
    if (!reads) out.add(resource, "push");
  }
  const auto source = request.method == http::Method::post ? mounted_from(request.url.query()) : std::string{};
  if (!source.empty()) out.add(fmt::format("repository:{}", source), "pull");
  return out;
}

}  // namespace capsule::oci
