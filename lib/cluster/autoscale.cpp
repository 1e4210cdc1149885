#include "cluster/autoscale.hpp"

#include <algorithm>

#include "capsule/manifest.hpp"
#include "cluster/objects.hpp"
#include "cluster/receipt.hpp"

namespace capsule::cluster {

namespace {

constexpr double most_pods = 100'000;  ///< of a Deployment, whoever has scaled it

unsigned number_at(const json::Value& object, std::string_view pointer) {
  const auto* found = object.at_pointer(pointer);
  if (found == nullptr || found->if_number() == nullptr) return 0;
  return static_cast<unsigned>(std::clamp(json::to_double(*found->if_number()), 0.0, most_pods));
}

bool has_replicas(const json::Value& deployment, std::string_view of) {
  const auto* fields = applied_fields(deployment, of);
  return fields != nullptr && fields->at_pointer("/f:spec/f:replicas") != nullptr;
}

}  // namespace

std::optional<unsigned> autoscaled_from(const json::Value& object) {
  const auto* autoscale = object.at_pointer("/spec/autoscale");
  if (autoscale == nullptr || autoscale->is_null()) return std::nullopt;
  return std::min<unsigned>(number_at(object, "/spec/autoscale/minReplicas"), max_replicas);  // for the platform's CRD
}

std::optional<unsigned> handed_over(const json::Value& deployment, unsigned at_least) {
  const auto there = number_at(deployment, "/spec/replicas");
  const bool is_missed = there == 0 && at_least > 0;
  if (!is_missed && !has_replicas(deployment, field_manager)) return std::nullopt;
  return std::max(at_least, there);
}

bool is_handed_over(const json::Value& deployment, std::string_view receipt) {
  return has_replicas(deployment, autoscale_manager) ||
         (!has_replicas(deployment, field_manager) && has_same_deployment(receipt, deployment));
}

json::Value set_handed_over(kube::Client& client, const kube::Name& deployment, std::optional<unsigned> replicas) {
  json::Object wanted{{"apiVersion", "apps/v1"},
                      {"kind", "Deployment"},
                      {"metadata", json::Object{{"name", deployment.name}, {"namespace", deployment.ns}}}};
  if (replicas) wanted.set("spec", json::Object{{"replicas", *replicas}});
  return client.apply(deployment, json::Value{wanted},
                      {.force = true, .field_manager = std::string{autoscale_manager}});
}

}  // namespace capsule::cluster
