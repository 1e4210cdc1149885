#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cluster/object_form.hpp"
#include "cluster/objects.hpp"
#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

inline const kube::Resource proofed_deployments{"infra.industriverse.ai", "v1", "proofeddeployments"};

/// As the API server has it; nothing where there is none. Error not_found, saying what to install, where the cluster
/// knows no such kind.
std::optional<json::Value> find_deployed(kube::Client& client, const kube::Name& name);

/// A ProofedDeployment object of the API server. Each change is made of what is there now, under a precondition of its
/// resourceVersion, and again where somebody else was faster. A change by a deploy whose lease went to another one is
/// refused: Error busy. What the cluster's CRD does not keep of it is kept beside it and seen as if it did
/// (object_form.hpp). Errors of kube::Client.
class DeployedObject {
 public:
  DeployedObject(kube::Client& client, std::string ns, std::string name);

  /// Reads it; null where there is none. Errors of find_deployed().
  const json::Value* read();
  /// Asks the cluster which CRD it has, where the object does not show that it is of ours; what we may not see is
  /// taken for ours. To be called before apply().
  void learn_form();
  /// The last that was read or written; null: none.
  [[nodiscard]] const json::Value* known() const noexcept { return m_value ? &*m_value : nullptr; }
  /// The same; it must be there.
  [[nodiscard]] const json::Value& value() const;
  [[nodiscard]] Owner owner() const;
  /// The same; nothing where there is none, or it is on its way out.
  [[nodiscard]] std::optional<Owner> lasting_owner() const;
  [[nodiscard]] kube::Name name() const { return {proofed_deployments, m_ns, m_name}; }

  /// We hold the lease, with that number: what is written from now on carries it, or one more than what stands there,
  /// in the object or (`beside`) in another of the deployment, where the lease was begun anew. What has a higher one
  /// then was written by who took the lease over, as was an object that has come in the place of this one.
  void take_over(std::uint64_t transitions, std::uint64_t beside = 0);
  /// Reads it again. Error busy: another deploy has taken it over; not_found: it is gone.
  void require_turn();
  /// Looks whether the object that was taken over or applied is gone, or on its way out.
  [[nodiscard]] bool was_deleted();
  /// The number that our writes carry.
  [[nodiscard]] std::uint64_t fence() const noexcept { return m_fence.value_or(0); }
  /// Server-side apply of `wanted`, as apply_in_turn() has it.
  const json::Value& apply(json::Object wanted, bool force);
  /// What the last apply() left there, whatever others have done since; null: there was none.
  [[nodiscard]] const json::Value& applied() const noexcept { return m_applied; }
  /// Changes the status; writes nothing where it is the same afterwards.
  void change_status(const std::function<void(json::Object& object)>& work);
  /// Says in spec.proofPolicy what the platform's operator wants to know of a proof, where the object has those members
  /// (its own CRD requires them; ours does not, and has them in the status).
  void say_proof(const std::string& utid, const std::string& hash);
  /// Changes one annotation; nothing is written where it stays.
  void change_annotation(std::string_view name, const std::function<std::string(const std::string& before)>& work);
  [[nodiscard]] std::string annotation(std::string_view name) const;

 private:
  void refuse_if_fenced() const;
  void write_status(json::Object next);
  void patch_annotation(std::string_view name, const std::string& text);
  void again(const std::function<void()>& attempt);

  kube::Client& m_client;
  std::string m_ns;
  std::string m_name;
  ObjectForm m_form;
  std::optional<json::Value> m_value;  ///< whole
  json::Value m_applied;               ///< whole
  std::optional<std::uint64_t> m_fence;
  std::string m_uid;  ///< of the object that we have taken over; empty: there was none
};

}  // namespace capsule::cluster
