#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capsule/manifest.hpp"
#include "core/digest.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

/// What of spec.template of the ProofedDeployment object a capsule's pods take over.
inline constexpr std::array<std::string_view, 7> passed_on_members{
    "tolerations",      "nodeSelector",       "affinity",        "priorityClassName",
    "runtimeClassName", "serviceAccountName", "imagePullSecrets"};

/// The images that a capsule's pods are made of, by digest where one rolls out by digest.
struct Images {
  std::string agent;    ///< has capsule-agent, a static program that copies itself
  std::string verify;   ///< has capsule-verify, which downloads the capsule where there is no image volume
  std::string runtime;  ///< has the interpreters that capsules are written for
};

/// How a pod gets the capsule's files.
enum class CapsuleVolume {
  download,  ///< an init container downloads, verifies and unpacks it, once per pod
  image      ///< the package is mounted as an image volume: the node keeps it
};
/// How options and receipts write it.
inline constexpr std::array<std::pair<std::string_view, CapsuleVolume>, 2> capsule_volumes{
    {{"download", CapsuleVolume::download}, {"image", CapsuleVolume::image}}};

/// Where the capsule is, for a pod.
struct CapsuleSource {
  CapsuleVolume volume = CapsuleVolume::download;
  std::string reference;  ///< oci://HOST/BASE/<name>@sha256:… of the version index
  std::string package;    ///< HOST/BASE/<name>@sha256:… of the package manifest
  std::uint64_t unpacked_bytes = 0;
  std::vector<std::string> insecure_registries;
};

/// What a capsule's pods are to be.
struct PodWish {
  const Manifest& manifest;
  Digest capsule;
  CapsuleSource source;
  Images images;
  std::string gpu_resource{};              ///< empty: no GPU
  std::vector<std::string> nodes{};        ///< the only ones that it may go to; empty: any
  std::optional<json::Value> passed_on{};  ///< spec.template of the ProofedDeployment object
  /// What capsule-agent is there for.
  std::vector<std::string> agent_arguments{"--replicas=1", "--runs=1"};
  std::string gpu_claim{};  ///< a ResourceClaimTemplate, by which it gets its GPUs; empty: none
  /// Requirements that no node has, as CapabilityReport::waived has them: the pod does not ask for them.
  std::vector<std::string> waived{};
};

/// The pod template of `<name>-deploy` (README.md, "The pods"): restricted, root read-only, requests and limits set, an
/// init container with the agent, another with the capsule where there is no image volume. Of spec.template it takes
/// tolerations, nodeSelector, affinity, priorityClassName, runtimeClassName, serviceAccountName and imagePullSecrets.
/// The label label::pod_template is a digest of all the rest. Pure.
json::Object pod_template(const PodWish& wish);
/// Its spec alone. Pure.
json::Object pod_spec(const PodWish& wish);

/// The ConfigMap with the keys that have signed the capsule, as a trust policy: what the pods' own check is held
/// against.
std::string trust_config_name(const std::string& capsule);

}  // namespace capsule::cluster
