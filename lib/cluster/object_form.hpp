#pragma once

#include <map>
#include <string>

#include "json/value.hpp"

namespace capsule::cluster {

/// How the cluster's CRD of ProofedDeployment keeps an object. Our own CRD keeps all of it, and its status is a
/// subresource. The DAC platform's has no spec.capsule, perhaps no status that holds ours, and wants fields that
/// nobody knows before the first proof. What it does not keep is kept in annotations (annotation::spec, ::status), so
/// that whoever reads the object through DeployedObject sees the same on both.
class ObjectForm {
 public:
  enum class Status { subresource, member, annotation };

  /// Of our own CRD.
  ObjectForm() = default;
  /// Of that CRD; of our own where it has no version v1. Pure.
  static ObjectForm of(const json::Value& crd);
  /// Whether an object as the cluster has it shows that it is of our own CRD: then nobody need be asked. Pure.
  static bool is_our_own(const json::Value& object);

  [[nodiscard]] Status status() const noexcept { return m_status; }
  void set_status(Status status) noexcept { m_status = status; }

  /// What is to be applied for a whole object: members of its spec that are not kept stand in an annotation; what the
  /// schema requires and nobody has said is "pending" (utidBinding.type soft, numbers 0), unless another one has said
  /// it in `there` (null: there is none). Pure.
  [[nodiscard]] json::Object applied(json::Object whole, const json::Value* there) const;

 private:
  Status m_status = Status::subresource;
  json::Value m_spec;  ///< the schema of spec; null: all is kept, and nothing required
};

/// The whole of an object as the cluster has it: with the members that stand in its annotations. Pure.
json::Value whole(json::Value stored);
/// The reverse for an object that is put back as a whole: what stands in its annotations is left out. Pure.
json::Object stored(json::Object whole);
/// Whether its status stands in an annotation. Pure.
bool has_status_in_annotation(const json::Value& object);

}  // namespace capsule::cluster
