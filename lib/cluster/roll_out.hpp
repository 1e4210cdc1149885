#pragma once

#include <functional>
#include <optional>
#include <string>

#include "capsule/verified_capsule.hpp"
#include "cluster/capability.hpp"
#include "cluster/deployed_object.hpp"
#include "cluster/former_state.hpp"
#include "cluster/platform_operator.hpp"
#include "cluster/pod_state.hpp"
#include "cluster/pod_template.hpp"
#include "cluster/pool_deployment.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What is to be rolled out. What it refers to outlives the RollOut.
struct RollOutWish {
  const VerifiedCapsule& capsule;
  const ClusterCheck& check;
  CapsuleSource source;
  Images images;
  std::string published;         ///< the reference as the ProofedDeployment object shows it
  bool force = false;            ///< takes over fields of other managers
  std::string options_digest{};  ///< of all that was asked for beside the capsule, as the receipt has it
  OperatorMode operator_mode = OperatorMode::none;
  std::function<void()> on_wait{};    ///< called about once a second meanwhile; what it throws ends the wait
  std::function<void()> on_object{};  ///< called once the ProofedDeployment object is there, before what it owns is
};

/// The objects of a deployment in one namespace: applies them, and puts back what was there where the new ones do not
/// come up.
class RollOut {
 public:
  /// `object`: read and taken over, as look_at_former() has found it.
  RollOut(kube::Client& client, DeployedObject& object, FormerState former, RollOutWish wish);

  /// Server-side apply of the ProofedDeployment object, the keys that the pods trust, the Deployment with that many
  /// waiting pods and, from two on, the PodDisruptionBudget. Error conflict naming another manager of a field, or an
  /// object that no deploy has made; what the API server refuses (denied, unavailable by a quota, unmet_requirement
  /// where it takes no image volume) once the ProofedDeployment object is there, as put_back() has it.
  void apply(unsigned replicas);
  /// The pods that were there for a run alone go: none stays, or as many as the object's autoscale wants at least. What
  /// an autoscaler has set stays so.
  void end_pods();
  /// The same after a run that has failed for good: what keeps it from being done is warned of.
  void try_to_end_pods();
  /// The former object with its status, trusted keys and Deployment, and the condition RolloutFailed; where there was
  /// none, no pods, and the object stays with the reason. What keeps it from any of that is warned of. Error busy, and
  /// nothing is changed, where another deploy has taken over.
  void put_back(const Error& error, const std::string& reason);
  /// Notes in the object what was applied (receipt.hpp), so that a later change by somebody else shows.
  void note_fields();

  /// The Deployment as it was written last.
  [[nodiscard]] const json::Value& deployment() const noexcept { return m_deployment.value(); }
  [[nodiscard]] const std::string& pod_template_label() const noexcept { return m_deployment.pod_template_label(); }

 private:
  void require_free() const;
  void apply_object();
  void apply_owned(unsigned replicas);
  void apply_trust();
  void apply_budget(unsigned replicas);
  [[nodiscard]] bool may_have_budget() const;
  [[nodiscard]] bool is_of_another_capsule(const json::Value& former_object) const;
  void put_back_former();

  kube::Client& m_client;
  DeployedObject& m_object;
  const FormerState m_former;
  const RollOutWish m_wish;
  PoolDeployment m_deployment;
  std::optional<json::Value> m_trust;   ///< nothing: the pods need none, or there is none yet
  std::optional<json::Value> m_budget;  ///< nothing: one pod alone
};

/// Whether that error, of PodPool::wait_until_ready, says that the pods do not come up; else it is that of who waits: a
/// lease that is lost, a cluster that cannot be asked. Pure.
bool is_failed_roll_out(const Error& error, const std::optional<Trouble>& trouble);

}  // namespace capsule::cluster
