#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "capsule/manifest.hpp"
#include "cluster/names.hpp"
#include "cluster/pod_template.hpp"
#include "core/digest.hpp"
#include "crypto/key.hpp"
#include "json/value.hpp"
#include "kube/resource.hpp"

namespace capsule::cluster {

/// The object that owns all the others of a deployment.
struct Owner {
  std::string name;
  std::string uid;
};

/// An entry of metadata.ownerReferences: what bears it is removed with the object. Pure.
json::Object owner_reference(const Owner& owner);

/// `<name>-deploy`.
std::string deployment_name(const std::string& capsule);

// What a ProofedDeployment object of that name owns. Pure.
kube::Name deployment_of(const kube::Name& object);         ///< `<name>-deploy`
kube::Name trust_config_of(const kube::Name& object);       ///< the ConfigMap with the keys that the pods trust
kube::Name disruption_budget_of(const kube::Name& object);  ///< `<name>-deploy`

/// What we want of the ProofedDeployment object, for server-side apply: its spec, pending in all that a run and a proof
/// will say. Pure.
json::Object proofed_deployment(const Manifest& manifest, const Digest& capsule, const std::string& image,
                                const std::string& ns);

/// How many pods wait, and what they are.
struct Pool {
  json::Object pod_template;
  unsigned replicas = 1;
  bool replicas_are_ours = true;  ///< not where an autoscaler sets them
  bool has_gpu = false;           ///< a full cluster has no GPU to spare for a surge
};

/// The Deployment `<name>-deploy`, owned by the object. Pure.
json::Object deployment(const Owner& owner, const std::string& ns, const Pool& pool);

/// The trust policy that pods hold the capsule against: the keys that signed it here, all of them wanted. Pure.
json::Object trust_config(const Owner& owner, const std::string& ns, const Manifest& manifest,
                          const std::vector<crypto::PublicKey>& signers);

/// What is to be applied again of an object that was read: its name, labels, owners, and that member ("spec", "data"),
/// less those members of it that are others' to set. Nothing that the API server adds. Pure.
json::Object made_again(const json::Value& from, const json::Object& kind, std::string_view content,
                        const std::vector<std::string_view>& not_ours = {});

/// The fields of the object that are ours by server-side apply (FieldsV1); null: none. Pure.
const json::Value* applied_fields(const json::Value& object, std::string_view manager = field_manager);

/// Whether a manager other than ours has set what is at that path of fields (FieldsV1). Pure.
bool is_set_by_others(const json::Value& object, std::initializer_list<std::string_view> path);
/// Whether an entry of managedFields is of one of our managers. Pure.
bool is_our_manager(const json::Value& entry);

/// Which fields of the object are ours by server-side apply, in 16 hexadecimal digits. Whoever changes one of them
/// takes it over, so that they differ then. Pure.
std::string own_fields(const json::Value& object);

/// A voluntary disruption leaves one pod: from two replicas on. Pure.
json::Object disruption_budget(const Owner& owner, const std::string& ns);

}  // namespace capsule::cluster
