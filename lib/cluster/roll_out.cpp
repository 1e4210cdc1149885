#include "cluster/roll_out.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/apply_in_turn.hpp"
#include "cluster/autoscale.hpp"
#include "cluster/drift.hpp"
#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/pod_state.hpp"
#include "cluster/receipt.hpp"
#include "cluster/refusal.hpp"
#include "cluster/run_book.hpp"
#include "cluster/status_check.hpp"
#include "core/digest.hpp"
#include "core/time.hpp"
#include "deploy/deployment_status.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

bool names_nodes(const Requirement& requirement, const deploy::CapabilityReport& report) {
  const bool waived = std::find(report.waived.begin(), report.waived.end(), requirement.text) != report.waived.end();
  if (waived) return false;
  if (requirement.kind == Requirement::Kind::utid) return requirement.word == "hardware-bound";
  return requirement.kind == Requirement::Kind::gpu_memory;
}

/// Where the scheduler cannot know which nodes meet the requirements, they are named; else it is free.
std::vector<std::string> nodes_to_name(const RollOutWish& wish) {
  const auto& requirements = wish.capsule.manifest().requirements;
  const bool needed = std::any_of(requirements.begin(), requirements.end(),
                                  [&](const Requirement& one) { return names_nodes(one, wish.check.report); });
  return needed ? wish.check.accepted : std::vector<std::string>{};
}

/// An API server without them leaves the field out, and pods would get an empty folder instead.
bool has_image_volume(const json::Value& deployment) {
  const auto* volumes = deployment.at_pointer("/spec/template/spec/volumes");
  if (volumes == nullptr || volumes->if_array() == nullptr) return false;
  return std::any_of(volumes->if_array()->begin(), volumes->if_array()->end(),
                     [](const json::Value& volume) { return volume.at_pointer("/image/reference") != nullptr; });
}

/// Whether pods of it came up, whatever the object's status says.
bool was_up(const DeployedObject& object, const json::Value& deployment) {
  const auto* ready = deployment.at_pointer("/status/readyReplicas");
  return (ready != nullptr && ready->if_number() != nullptr) ||
         RunBook::parse(object.annotation(annotation::runs)).has_record();
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

kube::Name RollOut::deployment_there() const {
  return {kube::resources::deployments, m_ns, deployment_name(m_object.name().name)};
}

kube::Name RollOut::trust_there() const {
  return {kube::resources::config_maps, m_ns, trust_config_name(m_object.name().name)};
}

void RollOut::look(bool with_trust, const Patience& patience) {
  const auto name = m_object.name();
  if (m_object.known() != nullptr && !text_at(*m_object.known(), "/metadata/deletionTimestamp").empty()) {
    static_cast<void>(find_settled(m_client, name, {}, {}, patience));
    m_object.read();
  }
  const auto uid = m_object.known() == nullptr ? std::string{} : text_at(*m_object.known(), "/metadata/uid");
  m_former_deployment = find_settled(m_client, deployment_there(), name.name, uid, patience);
  if (with_trust) m_trust = find_settled(m_client, trust_there(), name.name, uid, patience);
  // One whose first deploy was killed before a pod was up is nothing to go back to; a status may also have been lost.
  if (m_former_deployment && m_object.known() != nullptr &&
      (!text_at(*m_object.known(), "/status/phase").empty() || was_up(m_object, *m_former_deployment)))
    m_former_object = *m_object.known();
}

std::uint64_t RollOut::highest_fence() const {
  return std::max(m_former_deployment ? fence_of(*m_former_deployment) : 0, m_trust ? fence_of(*m_trust) : 0);
}

std::string RollOut::maker_of(const json::Value& there) const {
  return m_operator_mode == OperatorMode::none ? std::string{} : other_maker(there);
}

/// Less the number of pods and the owner.
json::Object RollOut::wanted_deployment() const {
  auto out = deployment({m_object.name().name, {}}, m_ns, {m_template, 0, false, m_has_gpu});
  deploy::member(out, "metadata").erase("ownerReferences");
  return out;
}

void RollOut::require_nothing_added(const json::Value& there, json::Object wanted) const {
  const auto name = deployment_there();
  auto seen = there;
  if (applied_fields(there) == nullptr) {
    // What is ours in it, and what is somebody's, shows once it is applied.
    seen = m_client.apply(name, json::Value{wanted}, {.dry_run = true});
  }
  const auto maker = maker_of(seen);
  const auto spec = maker.empty() ? deploy::member(wanted, "spec") : own_spec(seen, maker);
  const auto more = effective(additions(seen, maker), m_client, name, seen, spec);
  if (more.empty()) return;
  throw Error{ErrorKind::conflict, fmt::format("somebody added to the {}: {} (--force-conflicts takes it out)",
                                               kube::text_of(name), text_of(more))};
}

json::Value RollOut::mended(json::Value there, const json::Object& spec) {
  try {
    return put_spec(m_client, deployment_there(), there, spec, m_object.fence());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input) throw;
    return there;  // the apply says why
  }
}

void RollOut::require_free() const {
  require_ours(deployment_there(), m_former_deployment);
  require_ours(trust_there(), m_trust);
  // One that an operator has just made has nothing of ours: what it has beside that shows later.
  const bool is_new = is_made_by_operator(m_former_deployment) && applied_fields(*m_former_deployment) == nullptr;
  if (m_force || !m_former_deployment || is_new) return;
  require_nothing_added(*m_former_deployment, wanted_deployment());
}

void RollOut::apply_trust(const RollOutWish& wish) {
  // Another version may be signed by other keys, and goes by the same name.
  if (m_former_object && text_at(*m_former_object, "/spec/capsule/digest") != m_digest) m_former_trust = m_trust;
  m_trust = apply_in_turn(m_client, trust_there(),
                          trust_config(m_object.owner(), m_ns, wish.capsule.manifest(), wish.capsule.signers()),
                          m_object.fence(), m_trust, m_force);
}

void RollOut::apply_deployment(unsigned replicas, std::optional<json::Value> there) {
  const auto name = deployment_there();
  const auto from = autoscaled_from(m_object.value());
  const bool is_new = !there;
  if (there && from) {
    if (const auto number = handed_over(*there, replicas)) there = set_handed_over(m_client, name, number);
  } else if (there && is_handed_over(*there)) {
    there = set_handed_over(m_client, name, replicas);
  }
  auto wanted = deployment(m_object.owner(), m_ns, {m_template, replicas, !from, m_has_gpu});
  if (is_made_by_operator(there)) {
    wanted = left_to_operator(std::move(wanted), *there, m_object.owner().uid);
    if (!m_force && applied_fields(*there) == nullptr) require_our_pods(m_client, name, *there, m_label, wanted);
  }
  try {
    m_deployment = apply_in_turn(m_client, name, std::move(wanted), m_object.fence(), std::move(there), m_force);
  } catch (const Error& error) {
    const bool passes_on = m_object.value().at_pointer("/spec/template") != nullptr;
    if (error.kind() != ErrorKind::invalid_input || !passes_on) throw;
    throw error.within(fmt::format("of spec.template of the {}", kube::text_of(m_object.name())));
  }
  if (is_new && from && replicas != 1) m_deployment = set_handed_over(m_client, name, replicas);
  if (!from && is_handed_over(m_deployment)) m_deployment = set_handed_over(m_client, name, {});
}

bool RollOut::may_have_budget() const {
  const auto* before = m_former_deployment ? m_former_deployment->at_pointer("/spec/replicas") : nullptr;
  const bool was_one = before != nullptr && (*before == json::Value{0} || *before == json::Value{1});
  // An operator's number of pods is not what a budget was made for.
  return (!was_one && !is_made_by_operator(m_former_deployment)) ||
         may_name_budget(m_object.annotation(annotation::fields));
}

void RollOut::apply_budget(unsigned replicas) {
  if (replicas <= 1 && !may_have_budget()) return;  // a call less of each deploy that changes nothing
  const kube::Name name{kube::resources::disruption_budgets, m_ns, deployment_there().name};
  const auto there = m_client.find(name);
  if (replicas > 1) {
    require_ours(name, there);
    // Every deploy would write the same: no turn is needed.
    m_budget = cluster::apply(m_client, name, json::Value{disruption_budget(m_object.owner(), m_ns)}, m_force);
  } else if (there && is_ours(*there)) {
    m_client.remove(name, {.uid = text_at(*there, "/metadata/uid")});
  }
}

void RollOut::make_template(const RollOutWish& wish) {
  PodWish pods{wish.capsule.manifest(), wish.capsule.capsule_digest(), wish.source, wish.images,
               wish.check.gpu_resource, nodes_to_name(wish),           {}};
  pods.gpu_claim = wish.check.gpu_claim;
  pods.waived = wish.check.report.waived;
  const auto* object = m_object.known();
  if (const auto* there = object == nullptr ? nullptr : object->at_pointer("/spec/template")) pods.passed_on = *there;
  m_template = pod_template(pods);
  m_label = *deploy::member(deploy::member(m_template, "metadata"), "labels").find(label::pod_template)->if_string();
}

void RollOut::apply_object(const RollOutWish& wish) {
  auto wanted = proofed_deployment(wish.capsule.manifest(), wish.capsule.capsule_digest(), wish.published, m_ns);
  if (m_operator_mode != OperatorMode::none)
    deploy::member(wanted, "spec").set("template", template_for_operator(m_template));
  m_object.apply(std::move(wanted), m_force);
  if (wish.on_object) wish.on_object();
}

bool RollOut::is_made_by_operator(const std::optional<json::Value>& there) const {
  return m_operator_mode != OperatorMode::none && there && !other_maker(*there).empty();
}

/// The Deployment that is there, once the operator has had its time.
std::optional<json::Value> RollOut::await_deployment(const RollOutWish& wish) const {
  if (m_operator_mode == OperatorMode::none || (m_former_deployment && has_followed(*m_former_deployment, m_label)))
    return m_former_deployment;
  auto there = await_operator(m_client, deployment_there(), m_label, wish.on_wait);
  require_ours(deployment_there(), there);
  if (!there) log::info("no operator has made the Deployment: it is made here");
  return there;
}

void RollOut::apply(const RollOutWish& wish, unsigned replicas) {
  m_digest = wish.capsule.capsule_digest().text();
  m_force = wish.force;
  m_operator_mode = wish.operator_mode;
  m_asked = wish.asked;
  m_has_gpu = !wish.check.gpu_resource.empty() || !wish.check.gpu_claim.empty();
  make_template(wish);
  require_free();
  apply_object(wish);
  try {
    apply_owned(wish, replicas);
  } catch (const Error& error) {
    if (const auto reason = refusal_behind(error); !reason.empty()) put_back(error, reason);
    throw;
  }
}

void RollOut::apply_owned(const RollOutWish& wish, unsigned replicas) {
  if (wish.source.volume == CapsuleVolume::download) apply_trust(wish);
  auto there = await_deployment(wish);
  auto wanted = wanted_deployment();
  // Before the apply, so that no pod comes up that has both, nor a volume that is of two kinds.
  if (m_force && there && maker_of(*there).empty()) there = mended(std::move(*there), deploy::member(wanted, "spec"));
  apply_deployment(std::max(replicas, autoscaled_from(m_object.value()).value_or(0)), std::move(there));
  if (const auto maker = maker_of(m_deployment); m_force && !maker.empty())
    m_deployment = mended(m_deployment, own_spec(m_deployment, maker));
  if (wish.source.volume == CapsuleVolume::image && !has_image_volume(m_deployment))
    throw Error{ErrorKind::unmet_requirement,
                "the cluster takes no image volumes (its feature gate ImageVolume is off): deploy with "
                "--capsule-volume download"};
  apply_budget(replicas);
}

void RollOut::scale(unsigned replicas) {
  auto there = m_client.find(deployment_there());
  if (there && autoscaled_from(m_object.value()) && !is_set_by_others(*there, {"f:spec", "f:replicas"}))
    there = set_handed_over(m_client, deployment_there(), replicas);
  apply_deployment(replicas, std::move(there));
}

void RollOut::end_pods() {
  scale(autoscaled_from(m_object.value()).value_or(0));
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
    return receipt(m_asked, m_object.applied(),
                   {&m_deployment, m_trust ? &*m_trust : nullptr, m_budget ? &*m_budget : nullptr});
  });
}

std::string RollOut::uid() const {
  return text_at(m_deployment, "/metadata/uid");
}

json::Value RollOut::pods() const {
  const auto* found = m_deployment.at_pointer("/spec/template");
  return found == nullptr ? json::Value{} : *found;
}

bool RollOut::may_have_former_pods() const {
  return cluster::may_have_former_pods(m_deployment);
}

bool RollOut::is_up() const {
  return is_rolled_out(m_deployment);
}

void RollOut::put_back_former() {
  std::vector<std::string_view> not_ours;
  if (autoscaled_from(m_object.value())) not_ours.emplace_back("replicas");
  auto object =
      made_again(*m_former_object, {{"apiVersion", "infra.industriverse.ai/v1"}, {"kind", "ProofedDeployment"}}, "spec",
                 {"template", "autoscale"});
  const auto* pods = m_former_object->at_pointer("/spec/template");
  if (m_operator_mode != OperatorMode::none && pods != nullptr && pods->is_object())
    deploy::member(object, "spec").set("template", template_for_operator(*pods->if_object()));
  m_object.apply(std::move(object), true);
  const auto put = [&](const kube::Name& name, json::Object former) {
    auto there = m_client.find(name);
    if (is_made_by_operator(there)) former = left_to_operator(std::move(former), *there, m_object.owner().uid);
    return apply_in_turn(m_client, name, std::move(former), m_object.fence(), std::move(there), true);
  };
  // Before the pods that are held against it.
  if (m_former_trust)
    m_trust = put(trust_there(), made_again(*m_former_trust, {{"apiVersion", "v1"}, {"kind", "ConfigMap"}}, "data"));
  auto former = *m_former_deployment;
  if (applied_fields(former) != nullptr) former.if_object()->set("spec", own_spec(former));
  m_deployment = put(deployment_there(),
                     made_again(former, {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}}, "spec", not_ours));
}

void RollOut::put_back(const Error& error, const std::string& reason) {
  m_object.require_turn();
  const auto failure = next_failure(m_object.value(), m_digest, error.kind(), {}, now());
  attempt("what was there before is not put back", [&] {
    if (m_former_object)
      put_back_former();
    else if (!m_deployment.is_null())
      scale(0);
    if (!m_deployment.is_null()) note_fields();
  });
  tell(m_client, m_object.value(), EventType::warning, "RolloutFailed", error.message());
  attempt("the object does not say why", [&] {
    m_object.change_status([&](json::Object& object) {
      if (m_former_object) {
        if (const auto* status = m_former_object->at_pointer("/status")) object.set("status", *status);
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

void take_placement(const json::Value& object, PodDemand& demand) {
  const auto* tolerations = object.at_pointer("/spec/template/spec/tolerations");
  if (tolerations != nullptr && tolerations->if_array() != nullptr) demand.tolerations = *tolerations->if_array();
  const auto* selector = object.at_pointer("/spec/template/spec/nodeSelector");
  if (selector == nullptr || selector->if_object() == nullptr) return;
  for (const auto& [key, value] : *selector->if_object())
    if (const auto* text = value.if_string()) demand.node_selector.emplace(key, *text);
}

}  // namespace capsule::cluster
