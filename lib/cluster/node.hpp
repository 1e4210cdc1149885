#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json/cursor.hpp"
#include "json/lookup.hpp"

namespace capsule::cluster {

struct Taint {
  std::string key;
  std::string value;
  std::string effect;  ///< NoSchedule, PreferNoSchedule or NoExecute
};

/// What a node of the cluster has, as far as the API server says it.
struct Node {
  std::string name;
  std::string uid;
  std::string arch;
  std::string system{};  ///< linux or windows; empty: it does not say
  bool ready = false;
  bool unschedulable = false;
  std::vector<Taint> taints;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::uint64_t> allocatable;  ///< thousandths, by resource: cpu, memory, nvidia.com/gpu, …
  std::string utid;                                  ///< of its annotation; empty: none
  std::string certificate;                           ///< PEM
};

/// Reads an object of kind Node. Error invalid_input for what has another form.
Node node_from(const json::Cursor& object);

/// Whether the toleration (an object of a pod's spec.tolerations) lets a pod onto a node with that taint
/// (core/v1 Toleration: operator Equal or Exists, an empty key or effect fits all).
bool tolerates(const json::Value& toleration, const Taint& taint);

/// What scheduled pods ask for, by node and resource, in thousandths: allocatable less that is free.
using Requested = std::map<std::string, std::map<std::string, std::uint64_t>>;
/// Adds what the pod asks for. One that is done does not count, nor one of the deployment `except_app` in a namespace:
/// its own pods make room for it.
void add_requested(const json::Value& pod, std::string_view except_namespace, std::string_view except_app,
                   Requested& sum);

}  // namespace capsule::cluster
