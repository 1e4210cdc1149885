#include "cluster/pod_requests.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "capsule/quantity.hpp"

namespace capsule::cluster {

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;
constexpr std::uint64_t default_memory = 512 * mebibyte;
constexpr std::uint64_t agent_memory = 64 * mebibyte;
constexpr std::uint64_t default_cpu = 100;

std::uint64_t to_whole_mebibytes(std::uint64_t bytes) {
  return (bytes + mebibyte - 1) / mebibyte * mebibyte;
}

}  // namespace

bool asks_for(const Manifest& manifest, const std::string& resource, const std::vector<std::string>& waived) {
  const auto found = manifest.resources.find(resource);
  if (found == manifest.resources.end()) return false;
  return std::find(waived.begin(), waived.end(), fmt::format("{}:{}", resource, found->second)) == waived.end();
}

Requests runner_requests(const Manifest& manifest, const std::vector<std::string>& waived) {
  Requests out{default_cpu, default_memory};
  if (asks_for(manifest, "cpu", waived))
    out.cpu = parse_quantity_milli(manifest.resources.at("cpu")).value_or(default_cpu);
  if (asks_for(manifest, "memory", waived)) out.memory = manifest.memory_bytes().value_or(default_memory);
  // The runner may take what its manifest says; the agent stands beside it, and gives it at most 15/16 of what is
  // there.
  out.memory = to_whole_mebibytes(out.memory + out.memory / 8 + agent_memory);
  return out;
}

Requests pod_requests(const Manifest& manifest, const std::vector<std::string>& waived) {
  const auto runner = runner_requests(manifest, waived);
  return {std::max(runner.cpu, init_requests.cpu), std::max(runner.memory, init_requests.memory)};
}

}  // namespace capsule::cluster
