#include "cluster/proof_pod.hpp"

#include <fmt/format.h>

#include "cluster/names.hpp"
#include "cluster/pod_parts.hpp"

namespace capsule::cluster {

namespace {

constexpr std::string_view key_volume = "proof-service";

std::string short_name(const Digest& run_record) {
  return std::string{run_record.hex().substr(0, 16)};
}

json::Object relay_container(const RelayWish& wish) {
  json::Array command;
  for (const auto& word : wish.command) command.emplace_back(word);
  const auto folder = api_key_file.substr(0, api_key_file.rfind('/'));
  return {{"name", "relay"},
          {"image", wish.image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command", std::move(command)},
          {"ports", json::Array{container_port("relay", relay_status_port)}},
          {"resources", small_resources()},
          {"securityContext", container_security()},
          {"readinessProbe", probe("/readyz", "relay", 1, 3)},
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"volumeMounts", json::Array{mount(key_volume, folder, true)}}};
}

json::Object key_of_relay() {
  return {{"name", key_volume},
          {"secret", json::Object{{"secretName", proof_service_secret}, {"optional", true}, {"defaultMode", 0440}}}};
}

json::Object spec_of(const ProofPodWish& wish) {
  auto spec = pod_spec(wish.pod);
  give_gpus(wish.gpus, spec);
  spec.set("restartPolicy", "Never");
  spec.set("activeDeadlineSeconds", std::int64_t{wish.lifetime.count()});
  if (wish.relay) {
    spec.find("containers")->if_array()->emplace_back(relay_container(*wish.relay));
    spec.find("volumes")->if_array()->emplace_back(key_of_relay());
  }
  return spec;
}

}  // namespace

std::string proof_lease_name(const Digest& run_record) {
  return "capsule-proof-" + short_name(run_record);
}

std::string proof_pod_name(const Digest& run_record, std::string_view purpose) {
  return fmt::format("{}-{}", proof_lease_name(run_record), purpose);
}

json::Object proof_pod(const ProofPodWish& wish) {
  const json::Object labels{{"app.kubernetes.io/part-of", "capsule-loop"},
                            {"app.kubernetes.io/component", "proof"},
                            {std::string{label::run_record}, short_name(wish.run_record)}};
  json::Object metadata{{"name", proof_pod_name(wish.run_record, wish.purpose)},
                        {"labels", labels},
                        {"annotations", json::Object{{std::string{annotation::digest}, wish.pod.capsule.text()}}}};
  if (wish.owner) metadata.set("ownerReferences", json::Array{owner_reference(*wish.owner)});
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", std::move(metadata)}, {"spec", spec_of(wish)}};
}

}  // namespace capsule::cluster
