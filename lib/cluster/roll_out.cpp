#include "cluster/roll_out.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/apply_in_turn.hpp"
#include "cluster/autoscale.hpp"
#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/ownership.hpp"
#include "cluster/placement.hpp"
#include "cluster/receipt.hpp"
#include "cluster/refusal.hpp"
#include "cluster/status_check.hpp"
#include "core/time.hpp"
#include "deploy/deployment_status.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

/// `object`: what spec.template of it is passed on to the pods; null: nothing.
json::Object template_of(const RollOutWish& wish, const json::Value* object) {
  const auto& manifest = wish.capsule.manifest();
  const auto& check = wish.check;
  PodWish pods{manifest,           wish.capsule.capsule_digest(),  wish.source, wish.images,
               check.gpu_resource, nodes_to_name(manifest, check), {}};
  pods.gpu_claim = check.gpu_claim;
  pods.waived = check.report.waived;
  if (const auto* there = object == nullptr ? nullptr : object->at_pointer("/spec/template")) pods.passed_on = *there;
  return pod_template(pods);
}

bool has_gpu(const ClusterCheck& check) {
  return !check.gpu_resource.empty() || !check.gpu_claim.empty();
}

/// An API server without them leaves the field out, and pods would get an empty folder instead.
bool has_image_volume(const json::Value& deployment) {
  const auto* volumes = deployment.at_pointer("/spec/template/spec/volumes");
  if (volumes == nullptr || volumes->if_array() == nullptr) return false;
  return std::any_of(volumes->if_array()->begin(), volumes->if_array()->end(),
                     [](const json::Value& volume) { return volume.at_pointer("/image/reference") != nullptr; });
}

/// After a failure, which is what counts: what keeps us from it is warned of. Error busy goes on: it is not our turn.
template <typename Work>
void attempt(std::string_view otherwise, Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::busy) throw;
    log::warning(fmt::format("{}: {}", otherwise, error.message()));
  }
}

}  // namespace

RollOut::RollOut(kube::Client& client, DeployedObject& object, FormerState former, RollOutWish wish)
    : m_client(client),
      m_object(object),
      m_former(std::move(former)),
      m_wish(std::move(wish)),
      m_deployment(client, object,
                   {template_of(m_wish, object.known()), has_gpu(m_wish.check), m_wish.operator_mode, m_wish.force}),
      m_trust(m_former.trust) {}

void RollOut::apply(unsigned replicas) {
  require_free();
  apply_object();
  try {
    apply_owned(replicas);
  } catch (const Error& error) {
    if (const auto reason = refusal_behind(error); !reason.empty()) put_back(error, reason);
    throw;
  }
}

void RollOut::require_free() const {
  require_ours(deployment_of(m_object.name()), m_former.deployment);
  require_ours(trust_config_of(m_object.name()), m_former.trust);
  if (m_former.deployment) m_deployment.require_nothing_added(*m_former.deployment);
}

void RollOut::apply_object() {
  auto wanted = proofed_deployment(m_wish.capsule.manifest(), m_wish.capsule.capsule_digest(), m_wish.published,
                                   m_object.name().ns);
  if (m_wish.operator_mode != OperatorMode::none)
    deploy::member(wanted, "spec").set("template", template_for_operator(m_deployment.pod_template()));
  m_object.apply(std::move(wanted), m_wish.force);
  if (m_wish.on_object) m_wish.on_object();
}

void RollOut::apply_owned(unsigned replicas) {
  const auto volume = m_wish.source.volume;
  if (volume == CapsuleVolume::download) apply_trust();
  m_deployment.apply(replicas, m_deployment.await_operator(m_former.deployment, m_wish.on_wait));
  if (volume == CapsuleVolume::image && !has_image_volume(deployment()))
    throw Error{ErrorKind::unmet_requirement,
                "the cluster takes no image volumes (its feature gate ImageVolume is off): deploy with "
                "--capsule-volume download"};
  apply_budget(replicas);
}

void RollOut::apply_trust() {
  m_trust = apply_in_turn(
      m_client, trust_config_of(m_object.name()),
      trust_config(m_object.owner(), m_object.name().ns, m_wish.capsule.manifest(), m_wish.capsule.signers()),
      m_object.fence(), m_trust, m_wish.force);
}

bool RollOut::may_have_budget() const {
  const auto* before = m_former.deployment ? m_former.deployment->at_pointer("/spec/replicas") : nullptr;
  const bool was_one = before != nullptr && (*before == json::Value{0} || *before == json::Value{1});
  // An operator's number of pods is not what a budget was made for.
  return (!was_one && !m_deployment.is_made_by_operator(m_former.deployment)) ||
         may_name_budget(m_object.annotation(annotation::fields));
}

void RollOut::apply_budget(unsigned replicas) {
  if (replicas <= 1 && !may_have_budget()) return;  // a call less of each deploy that changes nothing
  const auto name = disruption_budget_of(m_object.name());
  const auto there = m_client.find(name);
  if (replicas > 1) {
    require_ours(name, there);
    // Every deploy would write the same: no turn is needed.
    m_budget = cluster::apply(m_client, name, json::Value{disruption_budget(m_object.owner(), name.ns)}, m_wish.force);
  } else if (there && is_ours(*there)) {
    m_client.remove(name, {.uid = text_at(*there, "/metadata/uid")});
  }
}

void RollOut::end_pods() {
  m_deployment.scale(autoscaled_from(m_object.value()).value_or(0));
}

void RollOut::try_to_end_pods() {
  try {
    m_object.require_turn();
    end_pods();
  } catch (const Error& error) {
    log::warning(
        fmt::format("a pod is left, which takes its room until it is deployed or deleted again: {}", error.message()));
  }
}

void RollOut::note_fields() {
  m_object.change_annotation(annotation::fields, [&](const std::string&) {
    return receipt(m_wish.options_digest, m_object.applied(),
                   {&deployment(), m_trust ? &*m_trust : nullptr, m_budget ? &*m_budget : nullptr});
  });
}

/// Another version may be signed by other keys, and goes by the same name.
bool RollOut::is_of_another_capsule(const json::Value& former_object) const {
  return text_at(former_object, "/spec/capsule/digest") != m_wish.capsule.capsule_digest().text();
}

void RollOut::put_back_former() {
  const auto& former = *m_former.object;
  auto object = made_again(former, {{"apiVersion", "infra.industriverse.ai/v1"}, {"kind", "ProofedDeployment"}}, "spec",
                           {"template", "autoscale"});
  const auto* pods = former.at_pointer("/spec/template");
  if (m_wish.operator_mode != OperatorMode::none && pods != nullptr && pods->is_object())
    deploy::member(object, "spec").set("template", template_for_operator(*pods->if_object()));
  m_object.apply(std::move(object), true);
  // Before the pods that are held against it.
  if (const auto name = trust_config_of(m_object.name()); m_former.trust && is_of_another_capsule(former))
    m_trust = apply_in_turn(m_client, name,
                            made_again(*m_former.trust, {{"apiVersion", "v1"}, {"kind", "ConfigMap"}}, "data"),
                            m_object.fence(), m_client.find(name), true);
  // One that refused the new spec as it was read still has the former one.
  if (!deployment().is_null()) m_deployment.put_back(*m_former.deployment);
}

void RollOut::put_back(const Error& error, const std::string& reason) {
  m_object.require_turn();
  const auto failure = next_failure(m_object.value(), m_wish.capsule.capsule_digest().text(), error.kind(), {}, now());
  attempt("what was there before is not put back", [&] {
    if (m_former.object)
      put_back_former();
    else if (!deployment().is_null())
      m_deployment.scale(0);
    if (!deployment().is_null()) note_fields();
  });
  tell(m_client, m_object.value(), EventType::warning, "RolloutFailed", error.message());
  attempt("the object does not say why", [&] {
    m_object.change_status([&](json::Object& object) {
      if (m_former.object) {
        if (const auto* status = m_former.object->at_pointer("/status")) object.set("status", *status);
      } else {
        deploy::set_failed(object, error);
      }
      deploy::member(object, "status").set("rollout", failure);
      deploy::set_condition(object, {"RolloutFailed", true, reason, error.message()});
      set_seen(object, m_object.applied());
    });
  });
}

bool is_failed_roll_out(const Error& error, const std::optional<Trouble>& trouble) {
  if (!trouble) return error.kind() == ErrorKind::timed_out;
  return error.kind() == trouble->kind && error.message() == trouble->error().message();
}

}  // namespace capsule::cluster
