#include "cluster/pool_deployment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/apply_in_turn.hpp"
#include "cluster/autoscale.hpp"
#include "cluster/drift.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/ownership.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

PoolDeployment::PoolDeployment(kube::Client& client, const DeployedObject& object, PoolSettings settings)
    : m_client(client),
      m_object(object),
      m_settings(std::move(settings)),
      m_label(text_at(m_settings.pod_template, "/metadata/labels", label::pod_template)) {}

kube::Name PoolDeployment::name() const {
  return deployment_of(m_object.name());
}

/// The operator where it made the Deployment, and may; empty: nobody else.
std::string PoolDeployment::maker_of(const json::Value& there) const {
  return m_settings.operator_mode == OperatorMode::none ? std::string{} : other_maker(there);
}

bool PoolDeployment::is_made_by_operator(const std::optional<json::Value>& there) const {
  return there && !maker_of(*there).empty();
}

/// Less the number of pods and the owner.
json::Object PoolDeployment::wanted() const {
  const auto object = m_object.name();
  auto out = deployment({object.name, {}}, object.ns, {m_settings.pod_template, 0, false, m_settings.has_gpu});
  deploy::member(out, "metadata").erase("ownerReferences");
  return out;
}

void PoolDeployment::require_nothing_added(const json::Value& there) const {
  // One that an operator has just made has nothing of ours: what it has beside that shows later.
  const bool is_new = is_made_by_operator(there) && applied_fields(there) == nullptr;
  if (m_settings.force || is_new) return;
  auto ours = wanted();
  auto seen = there;
  if (applied_fields(there) == nullptr) {
    // What is ours in it, and what is somebody's, shows once it is applied.
    seen = m_client.apply(name(), json::Value{ours}, {.dry_run = true});
  }
  const auto maker = maker_of(seen);
  const auto spec = maker.empty() ? deploy::member(ours, "spec") : own_spec(seen, maker);
  const auto more = effective(additions(seen, maker), m_client, name(), seen, spec);
  if (more.empty()) return;
  throw Error{ErrorKind::conflict, fmt::format("somebody added to the {}: {} (--force-conflicts takes it out)",
                                               kube::text_of(name()), text_of(more))};
}

std::optional<json::Value> PoolDeployment::await_operator(const std::optional<json::Value>& former,
                                                          const std::function<void()>& on_wait) const {
  if (m_settings.operator_mode == OperatorMode::none || (former && has_followed(*former, m_label))) return former;
  auto there = cluster::await_operator(m_client, name(), m_label, on_wait);
  require_ours(name(), there);
  if (!there) log::info("no operator has made the Deployment: it is made here");
  return there;
}

/// With `spec` alone, whatever was added to it.
json::Value PoolDeployment::mended(json::Value there, const json::Object& spec) const {
  try {
    return put_spec(m_client, name(), there, spec, m_object.fence());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input) throw;
    return there;  // the apply says why
  }
}

void PoolDeployment::apply(unsigned replicas, std::optional<json::Value> there) {
  // Before the apply, so that no pod comes up that has both, nor a volume that is of two kinds.
  if (m_settings.force && there && maker_of(*there).empty()) {
    auto ours = wanted();
    m_value = mended(std::move(*there), deploy::member(ours, "spec"));
    there = m_value;
  }
  write(std::max(replicas, autoscaled_from(m_object.value()).value_or(0)), std::move(there));
  if (const auto maker = maker_of(m_value); m_settings.force && !maker.empty())
    m_value = mended(m_value, own_spec(m_value, maker));
}

void PoolDeployment::scale(unsigned replicas) {
  auto there = m_client.find(name());
  if (there && autoscaled_from(m_object.value()) && !is_set_by_others(*there, {"f:spec", "f:replicas"}))
    there = set_handed_over(m_client, name(), replicas);
  write(replicas, std::move(there));
}

void PoolDeployment::write(unsigned replicas, std::optional<json::Value> there) {
  const auto object = m_object.name();
  const auto from = autoscaled_from(m_object.value());
  const auto receipt = m_object.annotation(annotation::fields);
  const bool is_new = !there;
  if (there && from) {
    if (const auto number = handed_over(*there, replicas)) there = set_handed_over(m_client, name(), number);
  } else if (there && is_handed_over(*there, receipt)) {
    there = set_handed_over(m_client, name(), replicas);
  }
  auto ours = deployment(m_object.owner(), object.ns, {m_settings.pod_template, replicas, !from, m_settings.has_gpu});
  if (is_made_by_operator(there)) {
    ours = left_to_operator(std::move(ours), *there, m_object.owner().uid);
    if (!m_settings.force && applied_fields(*there) == nullptr)
      require_our_pods(m_client, name(), *there, m_label, ours);
  }
  try {
    m_value = apply_in_turn(m_client, name(), std::move(ours), m_object.fence(), std::move(there), m_settings.force);
  } catch (const Error& error) {
    const bool passes_on = m_object.value().at_pointer("/spec/template") != nullptr;
    if (error.kind() != ErrorKind::invalid_input || !passes_on) throw;
    throw error.within(fmt::format("of spec.template of the {}", kube::text_of(object)));
  }
  if (is_new && from && replicas != 1) m_value = set_handed_over(m_client, name(), replicas);
  if (!from && is_handed_over(m_value, {})) m_value = set_handed_over(m_client, name(), {});
}

void PoolDeployment::put_back(json::Value former) {
  if (applied_fields(former) != nullptr) former.if_object()->set("spec", own_spec(former));
  std::vector<std::string_view> not_ours;
  if (autoscaled_from(m_object.value())) not_ours.emplace_back("replicas");
  auto ours = made_again(former, {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}}, "spec", not_ours);
  auto there = m_client.find(name());
  if (is_made_by_operator(there)) ours = left_to_operator(std::move(ours), *there, m_object.owner().uid);
  m_value = apply_in_turn(m_client, name(), std::move(ours), m_object.fence(), std::move(there), true);
}

}  // namespace capsule::cluster
