#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cluster/deployed_object.hpp"
#include "cluster/platform_operator.hpp"
#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// What the Deployment of a capsule's waiting pods is to be.
struct PoolSettings {
  json::Object pod_template;
  bool has_gpu = false;
  OperatorMode operator_mode = OperatorMode::none;
  bool force = false;  ///< takes over fields of other managers, and takes out what they added
};

/// The Deployment `<name>-deploy`, as a deploy writes it in its turn: less what an autoscaler (autoscale.hpp) or the
/// platform's operator (platform_operator.hpp) has to say. Errors as apply_in_turn() has them.
class PoolDeployment {
 public:
  /// `object` has been read, and outlives this.
  PoolDeployment(kube::Client& client, const DeployedObject& object, PoolSettings settings);

  /// As it was written last; null: it was not.
  [[nodiscard]] const json::Value& value() const noexcept { return m_value; }
  [[nodiscard]] const json::Object& pod_template() const noexcept { return m_settings.pod_template; }
  /// label::pod_template of its pods.
  [[nodiscard]] const std::string& pod_template_label() const noexcept { return m_label; }
  /// Whether the Deployment that is there is one of the operator's.
  [[nodiscard]] bool is_made_by_operator(const std::optional<json::Value>& there) const;

  /// Error conflict where somebody added to the one that is there what apply() would leave.
  void require_nothing_added(const json::Value& there) const;
  /// The one that is there once the operator, where it is waited for, has followed the object. `on_wait` as
  /// kube::WatchOptions has it. Error conflict where it is another program's.
  [[nodiscard]] std::optional<json::Value> await_operator(const std::optional<json::Value>& former,
                                                          const std::function<void()>& on_wait) const;
  /// Applies it with so many pods, or as many as the object's autoscale wants at least.
  void apply(unsigned replicas, std::optional<json::Value> there);
  /// Changes the number of its pods to that, unless an autoscaler has set it.
  void scale(unsigned replicas);
  /// Puts a former one back, forcing its fields.
  void put_back(json::Value former);

 private:
  [[nodiscard]] kube::Name name() const;
  [[nodiscard]] std::string maker_of(const json::Value& there) const;
  [[nodiscard]] json::Object wanted() const;
  [[nodiscard]] json::Value mended(json::Value there, const json::Object& spec) const;
  void write(unsigned replicas, std::optional<json::Value> there);

  kube::Client& m_client;
  const DeployedObject& m_object;
  PoolSettings m_settings;
  std::string m_label;
  json::Value m_value;
};

}  // namespace capsule::cluster
