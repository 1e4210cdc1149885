#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "json/value.hpp"

namespace capsule {

/// Waiting pods or processes of one capsule, at most.
constexpr std::uint32_t max_replicas = 1000;

/// One entry of `requirements`, parsed: `gpu:true|false|<count>`, `gpu-memory:<quantity>`, `utid:hardware-bound|soft`,
/// `arch:<goarch>`.
struct Requirement {
  enum class Kind { gpu, gpu_memory, utid, arch };
  Kind kind{};
  std::string text;          ///< as written, e.g. "gpu:true": what --allow-unmet names
  std::uint64_t amount = 0;  ///< gpu: how many (true = 1, false = 0); gpu_memory: bytes
  std::string word;          ///< utid: "hardware-bound" or "soft"; arch: "amd64", …
};

struct ProofPolicy {
  bool required = false;
  std::vector<std::string> types;    ///< e.g. "mathematical_proof", "sim_alignment"
  std::vector<std::string> anchors;  ///< e.g. "log:<name>", "evm:<chain id>"
};

struct Billing {
  std::string unit;
  std::string price;  ///< a decimal as written, e.g. "5.00": never a binary float
};

/// What tune and persona may set.
struct Parameter {
  std::string type;  ///< "number", "integer", "string", "boolean"
  json::Value default_value;
  std::optional<double> min;
  std::optional<double> max;
};

/// capsule.json (README.md, "The manifest").
struct Manifest {
  std::string name;     ///< is_name (core/semver.hpp)
  std::string version;  ///< is_version
  std::string entrypoint;
  std::vector<Requirement> requirements;
  ProofPolicy proof_policy;
  std::uint32_t prewarm_replicas = 0;  ///< true = 1, false = 0, {replicas: n}
  std::optional<Billing> billing;
  std::string description;
  std::map<std::string, std::string> resources;  ///< cpu, memory: Kubernetes quantities
  std::map<std::string, Parameter> parameters;
  std::map<std::string, std::string> annotations;

  /// The architecture for OCI: that of `arch:`, else amd64.
  [[nodiscard]] std::string architecture() const;
  /// `resources.memory` in bytes.
  [[nodiscard]] std::optional<std::uint64_t> memory_bytes() const;
};

/// Parses and checks capsule.json. Error invalid_input with the JSON pointer: unknown field, wrong type, duplicate key,
/// bad name or version, unknown requirement or proof type, over 4 MiB, deeper than 32.
Manifest parse_manifest(std::string_view text);

/// `capsule_<name>-<version>.tar.gz`.
std::string package_file_name(const Manifest& manifest);

}  // namespace capsule
