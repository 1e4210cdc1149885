#include "cluster/proof_setting.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/trust_policy.hpp"
#include "cluster/deployed_object.hpp"
#include "cluster/node.hpp"

namespace capsule::cluster {

namespace {

/// The pods would end with what is wrong with it, and nobody would know whose file that is.
void require_whole(const json::Value& config, const std::string& ns, const std::string& capsule) {
  try {
    const auto* files = config.at_pointer("/data");
    const auto* file =
        files == nullptr || files->if_object() == nullptr ? nullptr : files->if_object()->find("trust.yaml");
    if (file == nullptr || file->if_string() == nullptr) throw Error{ErrorKind::usage, "it has no trust.yaml"};
    const auto trust = attest::TrustPolicy::parse(*file->if_string(), "trust.yaml", "/trust");
    static_cast<void>(trust.keys(attest::Role::capsule, capsule));
  } catch (const Error& error) {
    throw Error{ErrorKind::conflict,
                fmt::format("somebody has changed ConfigMap {0} in namespace {1}, against which the pods of a proof "
                            "check the capsule: {2}; capsule-deploy --target kubernetes:{1} --force-conflicts puts "
                            "it right",
                            trust_config_name(capsule), ns, printable(error.message(), 400))};
  }
}

void require_trust(kube::Client& client, const std::string& ns, const Manifest& manifest) {
  const auto name = trust_config_name(manifest.name);
  if (const auto found = client.find({kube::resources::config_maps, ns, name})) {
    require_whole(*found, ns, manifest.name);
    return;
  }
  throw Error{ErrorKind::not_found,
              fmt::format("namespace {0} has no ConfigMap {1}, which the pods of a proof need to check the capsule "
                          "that they download: deploy {2} there (capsule-deploy --target kubernetes:{0}), or give "
                          "--capsule-volume image where the nodes have image volumes",
                          ns, name, manifest.name)};
}

bool wants_gpu(const Manifest& manifest) {
  return std::any_of(manifest.requirements.begin(), manifest.requirements.end(),
                     [](const Requirement& one) { return one.kind == Requirement::Kind::gpu && one.amount > 0; });
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
  ProofSetting out{{}, Owner{manifest.name, text_at(*object, "/metadata/uid")}, {}};
  if (const auto* passed_on = object->at_pointer("/spec/template")) out.passed_on = *passed_on;
  if (wants_gpu(manifest)) {
    const auto deployment = client.find({kube::resources::deployments, ns, deployment_name(manifest.name)});
    const auto* pods = deployment ? deployment->at_pointer("/spec/template") : nullptr;
    if (pods != nullptr) out.gpus = gpus_of(*pods);
  }
  return out;
}

std::string who_holds_gpus(kube::Client& client, const std::string& ns, const std::string& capsule) {
  const auto name = deployment_name(capsule);
  const auto deployment = client.find({kube::resources::deployments, ns, name});
  const auto* pods = deployment ? deployment->at_pointer("/status/replicas") : nullptr;
  const auto count = pods == nullptr || pods->if_number() == nullptr ? 0.0 : json::to_double(*pods->if_number());
  if (count == 0) return {};
  return fmt::format("; the {:.0f} pods of deployment {}, the capsule's warm pool, have what this one asks for", count,
                     name);
}

}  // namespace capsule::cluster
