#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

// The DAC platform's operator, where there is one: it makes the Deployment `<name>-deploy` of the object's
// spec.template. So that its pods are ours, our pod template stands there; what the operator sets beside it stays the
// operator's.

/// What of a deployment is left to the operator.
enum class OperatorMode {
  none,  ///< we make the Deployment, at once
  wait   ///< the operator makes it, or we where it has not within `patience_for_operator`
};
/// How options and receipts write it.
inline constexpr std::array<std::pair<std::string_view, OperatorMode>, 2> operator_modes{
    {{"none", OperatorMode::none}, {"wait", OperatorMode::wait}}};

inline constexpr std::chrono::seconds patience_for_operator{10};

/// What of our pod template belongs into spec.template of the object: all but what is taken over from there. Pure.
json::Object template_for_operator(const json::Object& pod_template);
/// Who made the Deployment, where it was not a deploy: the manager that has set its selector; empty: nobody else. Pure.
std::string other_maker(const json::Value& deployment);
/// Whether nothing need be waited for: the Deployment is none of an operator's, or its pods are of that template
/// (label::pod_template). Pure.
bool has_followed(const json::Value& deployment, const std::string& pod_template);

/// The Deployment as it is once has_followed() holds, or after patience_for_operator; nothing: there is none.
/// `on_wait` as kube::WatchOptions has it.
std::optional<json::Value> await_operator(kube::Client& client, const kube::Name& name, const std::string& pod_template,
                                          const std::function<void()>& on_wait);

/// `wanted` less what the operator that made the Deployment has set and may decide: members of its spec beside the pod
/// template, and its owner where that is `owner` (uid). The number of pods only where that is not 0 while pods are
/// wanted. Pure.
json::Object left_to_operator(json::Object wanted, const json::Value& there, const std::string& owner);

/// Error conflict where the Deployment that an operator made runs other pods than ours: another template, or, as a
/// trial apply of `wanted` shows, a container or an env variable beside ours.
void require_our_pods(kube::Client& client, const kube::Name& name, const json::Value& there,
                      const std::string& pod_template, const json::Object& wanted);

}  // namespace capsule::cluster
