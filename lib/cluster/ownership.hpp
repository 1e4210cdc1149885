#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// Whether a deploy made that object: it bears our label, or a ProofedDeployment object owns it. Pure.
bool is_ours(const json::Value& object);
/// Whether it has no owner. Pure.
bool is_orphan(const json::Value& object);
/// Whether a ProofedDeployment object of that name owns it that has another uid. Pure.
bool has_other_owner(const json::Value& object, const std::string& owner, const std::string& uid);
/// Error conflict where another program's object has that name: it would be removed with the deployment.
void require_ours(const kube::Name& name, const std::optional<json::Value>& there);

/// How long something is waited for.
struct Patience {
  std::chrono::milliseconds limit;
  std::function<void()> on_wait;  ///< called about once a second; what it throws ends the wait
};

/// Finds an object, but waits until one is gone that is being removed, or whose owner, the ProofedDeployment object of
/// that name, is not there any more: the garbage collector is about to take it. `uid` is that of the one that is there,
/// if any. Error timed_out.
std::optional<json::Value> find_settled(kube::Client& client, const kube::Name& name, const std::string& owner,
                                        const std::string& uid, const Patience& patience);

}  // namespace capsule::cluster
