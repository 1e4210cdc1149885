#include "kube/resource.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/query.hpp"

namespace capsule::kube {

namespace {

/// Names of objects are DNS labels and subdomains; those of RBAC have a colon too. Nothing that a path gives a meaning.
void check_part(std::string_view part, std::string_view what) {
  const bool good = !part.empty() && part.size() <= 253 && part != "." && part != ".." &&
                    std::all_of(part.begin(), part.end(), [](char c) { return is_unreserved(c) || c == ':'; });
  if (!good) {
    throw Error{ErrorKind::usage, fmt::format("'{}' can be no {} on a cluster", printable(part), what)};
  }
}

}  // namespace

std::string path_of(const Resource& resource, std::string_view ns) {
  check_part(resource.plural, "kind of objects");
  check_part(resource.version, "version of an API");
  auto out = resource.group.empty() ? fmt::format("/api/{}", resource.version)
                                    : fmt::format("/apis/{}/{}", resource.group, resource.version);
  if (!resource.group.empty()) check_part(resource.group, "group of an API");
  if (!ns.empty()) {
    check_part(ns, "namespace");
    out += fmt::format("/namespaces/{}", ns);
  }
  return out + '/' + resource.plural;
}

std::string path_of(const Name& name, std::string_view subresource) {
  check_part(name.name, "name of an object");
  auto out = fmt::format("{}/{}", path_of(name.resource, name.ns), name.name);
  if (!subresource.empty()) out += fmt::format("/{}", subresource);
  return out;
}

std::string text_of(const Resource& resource) {
  return resource.group.empty() ? resource.plural : fmt::format("{}.{}", resource.plural, resource.group);
}

std::string text_of(const Name& name) {
  auto out = text_of(name.resource);
  if (!name.name.empty()) out += fmt::format(" '{}'", name.name);
  if (!name.ns.empty()) out += fmt::format(" in namespace '{}'", name.ns);
  return out;
}

}  // namespace capsule::kube
