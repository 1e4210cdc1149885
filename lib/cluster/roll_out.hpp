#pragma once

#include <functional>
#include <optional>
#include <string>

#include "capsule/verified_capsule.hpp"
#include "cluster/capability.hpp"
#include "cluster/deployed_object.hpp"
#include "cluster/ownership.hpp"
#include "cluster/platform_operator.hpp"
#include "cluster/pod_state.hpp"
#include "cluster/pod_template.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What is to be rolled out.
struct RollOutWish {
  const VerifiedCapsule& capsule;
  const ClusterCheck& check;
  CapsuleSource source;
  Images images;
  std::string published;  ///< the reference as the ProofedDeployment object shows it
  bool force = false;     ///< takes over fields of other managers
  std::string asked{};    ///< one word for all that was asked for beside the capsule, as the receipt has it
  OperatorMode operator_mode = OperatorMode::none;
  std::function<void()> on_wait{};    ///< called about once a second meanwhile; what it throws ends the wait
  std::function<void()> on_object{};  ///< called once the ProofedDeployment object is there, before what it owns is
};

/// The objects of a deployment in one namespace: applies them, and puts back what was there where the new ones do not
/// come up.
class RollOut {
 public:
  RollOut(kube::Client& client, std::string ns, DeployedObject& object)
      : m_client(client), m_ns(std::move(ns)), m_object(object) {}

  /// Looks for what is there of the deployment, `with_trust` also for the trusted keys, and waits until what is being
  /// removed is gone. To be called before apply(), and before DeployedObject::take_over(). Error timed_out.
  void look(bool with_trust, const Patience& patience);
  /// Of the objects that look() found.
  [[nodiscard]] std::uint64_t highest_fence() const;
  /// Server-side apply of the ProofedDeployment object, the keys that the pods trust, the Deployment with that many
  /// waiting pods and, from two on, the PodDisruptionBudget. Error conflict naming another manager of a field, or an
  /// object that no deploy has made; what the API server refuses (denied, unavailable by a quota, unmet_requirement
  /// where it takes no image volume) once the ProofedDeployment object is there, as put_back() has it.
  void apply(const RollOutWish& wish, unsigned replicas);
  /// The pods that were there for a run alone go: none stays, or as many as the object's autoscale wants at least. What
  /// an autoscaler has set stays so.
  void end_pods();
  /// The same after a run that has failed for good: what keeps it from being done is warned of.
  void try_to_end_pods();
  /// The former object with its status, trusted keys and Deployment, and the condition RolloutFailed; where there was
  /// none, no pods, and the object stays with the reason. What keeps it from any of that is warned of. Error busy, and
  /// nothing is changed, where another deploy has taken over.
  void put_back(const Error& error, const std::string& reason);

  [[nodiscard]] const std::string& pod_template_label() const noexcept { return m_label; }
  /// Of the Deployment.
  [[nodiscard]] std::string uid() const;
  /// Its pod template, as the API server has it.
  [[nodiscard]] json::Value pods() const;
  /// Notes in the object what was applied (receipt.hpp), so that a later change by somebody else shows.
  void note_fields();
  /// Whether pods of a former pod template may be there, whatever their labels.
  [[nodiscard]] bool may_have_former_pods() const;
  /// Whether pods of this template are up already.
  [[nodiscard]] bool is_up() const;

 private:
  void scale(unsigned replicas);
  void make_template(const RollOutWish& wish);
  void apply_object(const RollOutWish& wish);
  void apply_owned(const RollOutWish& wish, unsigned replicas);
  [[nodiscard]] std::optional<json::Value> await_deployment(const RollOutWish& wish) const;
  [[nodiscard]] bool is_made_by_operator(const std::optional<json::Value>& there) const;
  void apply_deployment(unsigned replicas, std::optional<json::Value> there);
  void apply_trust(const RollOutWish& wish);
  void apply_budget(unsigned replicas);
  [[nodiscard]] bool may_have_budget() const;
  void require_free() const;
  void require_nothing_added(const json::Value& there, json::Object wanted) const;
  [[nodiscard]] json::Value mended(json::Value there, const json::Object& spec);
  [[nodiscard]] json::Object wanted_deployment() const;
  [[nodiscard]] std::string maker_of(const json::Value& there) const;
  [[nodiscard]] kube::Name deployment_there() const;
  [[nodiscard]] kube::Name trust_there() const;
  void put_back_former();

  kube::Client& m_client;
  std::string m_ns;
  DeployedObject& m_object;
  std::optional<json::Value> m_former_object;      ///< nothing: there was none, or none that was up
  std::optional<json::Value> m_former_deployment;  ///< nothing: there was none
  std::optional<json::Value> m_former_trust;       ///< nothing: there was none, or it stays
  json::Object m_template;
  std::string m_label;
  std::string m_digest;
  std::string m_asked;
  json::Value m_deployment;
  std::optional<json::Value> m_trust;   ///< nothing: the pods need none, or there is none yet
  std::optional<json::Value> m_budget;  ///< nothing: one pod alone
  bool m_has_gpu = false;
  bool m_force = false;
  OperatorMode m_operator_mode = OperatorMode::none;
};

/// Whether that error, of PodPool::wait_until_ready, says that the pods do not come up; else it is that of who waits: a
/// lease that is lost, a cluster that cannot be asked. Pure.
bool is_failed_roll_out(const Error& error, const std::optional<Trouble>& trouble);

/// Tolerations and nodeSelector of the object's spec.template, for the check.
void take_placement(const json::Value& object, PodDemand& demand);

}  // namespace capsule::cluster
