#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace capsule::cluster {

/// Under which name our fields are ours (server-side apply).
inline constexpr std::string_view field_manager = "capsule-loop";

/// A roll-out that has failed is left alone no longer than that.
inline constexpr std::chrono::hours longest_pause{24};

namespace annotation {
/// On a node: its UTID, and the certificate (PEM) that binds it to the node.
inline constexpr std::string_view node_utid = "utid.industriverse.ai/utid";
inline constexpr std::string_view node_certificate = "utid.industriverse.ai/certificate";
/// On the ProofedDeployment object: the runs that were begun, by what was asked for (run_book.hpp).
inline constexpr std::string_view runs = "capsule.industriverse.ai/runs";
/// On the ProofedDeployment object: what it and its Deployment, ConfigMap and PodDisruptionBudget were made of, and
/// which of their fields were ours, when deploy left them (receipt.hpp).
inline constexpr std::string_view fields = "capsule.industriverse.ai/fields";
/// On the ProofedDeployment object, JSON: what the cluster's CRD does not keep of its spec, and of its status
/// (object_form.hpp).
inline constexpr std::string_view spec = "capsule.industriverse.ai/spec";
inline constexpr std::string_view status = "capsule.industriverse.ai/status";
/// On the objects that we write: the fencing number of the deploy that wrote last.
inline constexpr std::string_view fence = "capsule.industriverse.ai/fence";
/// On a pod: the digest of its capsule, and the run that has claimed it.
inline constexpr std::string_view digest = "capsule.industriverse.ai/digest";
inline constexpr std::string_view run = "capsule.industriverse.ai/run";
/// On a pod, read by the ReplicaSet's controller and by cluster-autoscaler: it is the last of its like to be ended for
/// want of work, and its node is kept.
inline constexpr std::string_view deletion_cost = "controller.kubernetes.io/pod-deletion-cost";
inline constexpr std::string_view safe_to_evict = "cluster-autoscaler.kubernetes.io/safe-to-evict";
}  // namespace annotation

namespace label {
/// On a pod: which pod template it is of, so that a watch sees those alone.
inline constexpr std::string_view pod_template = "capsule.industriverse.ai/template";
/// On a pod that is there for a proof: the first 16 digits of the run record's digest.
inline constexpr std::string_view run_record = "capsule.industriverse.ai/run-record";
}  // namespace label

/// The port of capsule-agent in a pod.
inline constexpr unsigned agent_port = 8700;
/// Of an answer of the agent in a pod, in bytes.
inline constexpr std::size_t max_reply_bytes = std::size_t{20} << 20U;

}  // namespace capsule::cluster
