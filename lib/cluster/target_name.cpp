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

void require_short_name(const std::string& capsule) {
  if (capsule.size() <= max_name_length) return;
  throw Error{ErrorKind::invalid_input,
              fmt::format("on a cluster the name of a capsule has at most {} characters (its Deployment is called "
                          "<name>-deploy): '{}' has {}",
                          max_name_length, printable(capsule), capsule.size())};
}

std::string target_of(kube::Client& client, const std::string& ns) {
  return "kubernetes:" + text_at(client.get({kube::resources::namespaces, {}, ns}), "/metadata/uid");
}

}  // namespace capsule::cluster
