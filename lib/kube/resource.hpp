#pragma once

#include <string>
#include <string_view>

namespace capsule::kube {

/// A kind of object as the API's paths name it, with the group "" of the core: {"apps", "v1", "deployments"}.
struct Resource {
  std::string group;
  std::string version;
  std::string plural;
  friend bool operator==(const Resource&, const Resource&) = default;
};

/// What the loop has to do with; a custom resource is made like them.
namespace resources {
inline const Resource namespaces{"", "v1", "namespaces"};
inline const Resource nodes{"", "v1", "nodes"};
inline const Resource pods{"", "v1", "pods"};
inline const Resource config_maps{"", "v1", "configmaps"};
inline const Resource secrets{"", "v1", "secrets"};
inline const Resource services{"", "v1", "services"};
inline const Resource events{"events.k8s.io", "v1", "events"};
inline const Resource deployments{"apps", "v1", "deployments"};
inline const Resource replica_sets{"apps", "v1", "replicasets"};
inline const Resource leases{"coordination.k8s.io", "v1", "leases"};
inline const Resource disruption_budgets{"policy", "v1", "poddisruptionbudgets"};
inline const Resource autoscalers{"autoscaling", "v2", "horizontalpodautoscalers"};
inline const Resource resource_claim_templates{"resource.k8s.io", "v1", "resourceclaimtemplates"};
inline const Resource custom_resource_definitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions"};
inline const Resource self_subject_access_reviews{"authorization.k8s.io", "v1", "selfsubjectaccessreviews"};
}  // namespace resources

/// One object. `ns` is empty for what belongs to no namespace.
struct Name {
  Resource resource;
  std::string ns;
  std::string name;
};

/// "/apis/apps/v1/namespaces/x/deployments"; `ns` empty: of all namespaces, or of what has none. Error usage for a
/// part that cannot stand in a path.
std::string path_of(const Resource& resource, std::string_view ns);
/// "/apis/apps/v1/namespaces/x/deployments/y", with "/status" for that subresource.
std::string path_of(const Name& name, std::string_view subresource = {});

/// As people say it: "deployments.apps", "pods".
std::string text_of(const Resource& resource);
/// "deployments.apps 'y' in namespace 'x'".
std::string text_of(const Name& name);

}  // namespace capsule::kube
