#include "cluster/target_name.hpp"

#include <fmt/format.h>

#include "cluster/node.hpp"
#include "core/error.hpp"
#include "core/semver.hpp"

namespace capsule::cluster {

std::optional<std::string> namespace_of_target(const std::string& target) {
  constexpr std::string_view kubernetes = "kubernetes";
  if (target == "this-machine") return std::nullopt;
  if (target == kubernetes) return std::string{};
  const auto colon = target.find(':');
  // A namespace has the grammar of a capsule's name (RFC 1123 label).
  if (colon == kubernetes.size() && target.starts_with(kubernetes) && is_name(target.substr(colon + 1)))
    return target.substr(colon + 1);
  throw Error{ErrorKind::usage,
              fmt::format("--target {}: give this-machine, kubernetes or kubernetes:NAMESPACE", printable(target))};
}

std::string target_of(kube::Client& client, const std::string& ns) {
  return "kubernetes:" + text_at(client.get({kube::resources::namespaces, {}, ns}), "/metadata/uid");
}

}  // namespace capsule::cluster
