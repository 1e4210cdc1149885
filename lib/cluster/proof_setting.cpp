#include "cluster/proof_setting.hpp"

#include <fmt/format.h>

#include "cluster/deployed_object.hpp"
#include "cluster/node.hpp"

namespace capsule::cluster {

namespace {

void require_trust(kube::Client& client, const std::string& ns, const Manifest& manifest) {
  const auto name = trust_config_name(manifest.name);
  if (client.find({kube::resources::config_maps, ns, name})) return;
  throw Error{ErrorKind::not_found,
              fmt::format("namespace {0} has no ConfigMap {1}, which the pods of a proof need to check the capsule "
                          "that they download: deploy {2} there (capsule-deploy --target kubernetes:{0}), or give "
                          "--capsule-volume image where the nodes have image volumes",
                          ns, name, manifest.name)};
}

/// Nothing too where the cluster knows no such objects.
std::optional<json::Value> find_object(kube::Client& client, const std::string& ns, const std::string& name) {
  try {
    auto found = client.find({proofed_deployments, ns, name});
    if (found) found = whole(std::move(*found));
    return found;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return std::nullopt;
  }
}

}  // namespace

ProofSetting find_proof_setting(kube::Client& client, const std::string& ns, const Manifest& manifest,
                                CapsuleVolume volume) {
  if (volume == CapsuleVolume::download) require_trust(client, ns, manifest);
  const auto object = find_object(client, ns, manifest.name);
  if (!object) return {};
  ProofSetting out{{}, Owner{manifest.name, text_at(*object, "/metadata/uid")}};
  if (const auto* passed_on = object->at_pointer("/spec/template")) out.passed_on = *passed_on;
  return out;
}

}  // namespace capsule::cluster
