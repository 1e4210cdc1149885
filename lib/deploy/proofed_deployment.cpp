#include "deploy/proofed_deployment.hpp"

#include <fmt/format.h>

#include "core/time.hpp"
#include "fs/atomic_file.hpp"
#include "fs/lock.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_object_bytes = std::size_t{4} << 20U;
constexpr std::chrono::seconds lock_patience{10};

/// 0 where there is none, or no such number.
std::uint64_t generation_in(const json::Object& metadata) {
  const auto* found = metadata.find("generation");
  if (found == nullptr || !found->is_number()) return 0;
  const auto number = json::to_double(*found->if_number());
  return number >= 1 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

void set_spec(json::Object& object, const std::string& name, json::Value spec) {
  object.set("apiVersion", "infra.industriverse.ai/v1");
  object.set("kind", "ProofedDeployment");
  auto& metadata = member(object, "metadata");
  metadata.set("name", name);
  if (metadata.find("creationTimestamp") == nullptr) metadata.set("creationTimestamp", format_time(now()));
  const auto* before = object.find("spec");
  if (before != nullptr && *before == spec) return;
  metadata.set("generation", generation_in(metadata) + 1);
  object.set("spec", std::move(spec));
}

/// What the file says; nothing where it is not there, or damaged: it only reports, and must keep nobody from a run.
json::Object read(const fs::Path& file) {
  if (!std::filesystem::exists(file)) return {};
  try {
    auto value = json::parse(fs::read_file(file, max_object_bytes), file.string());
    auto* object = value.if_object();
    if (object != nullptr) return std::move(*object);
    throw Error{ErrorKind::invalid_input, fmt::format("{} is no object", printable(file.string(), 1024))};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input) throw;
    log::warning(fmt::format("the report of the deployment is damaged and is begun anew: {}", error.message()));
    return {};
  }
}

}  // namespace

fs::Path ProofedDeployment::file_of(const fs::Path& state, const std::string& name) {
  return state / "deployments" / name / "proofeddeployment.json";
}

void ProofedDeployment::change(const std::function<void(json::Object& object)>& work) {
  const fs::FileLock lock{m_file.parent_path() / ".object.lock", lock_patience};
  auto object = read(m_file);
  const auto before = object;
  work(object);
  if (!(object == before)) fs::write_file(m_file, json::pretty(object));
}

void ProofedDeployment::begin(const Manifest& manifest, const Digest& capsule, const std::string& image,
                              const std::string& run_id) {
  change([&](json::Object& object) {
    set_spec(object, manifest.name, proofed_spec(manifest, capsule, image));
    set_pending(object, run_id);
  });
}

void ProofedDeployment::warm(unsigned replicas, const std::string& reason) {
  change([&](json::Object& object) { set_warm(object, replicas, reason); });
}

void ProofedDeployment::running() {
  change([](json::Object& object) { set_running(object); });
}

void ProofedDeployment::refilled(unsigned replicas) {
  change([&](json::Object& object) { member(object, "status").set("warmReplicas", replicas); });
}

void ProofedDeployment::ran(const Digest& record, const std::string& start) {
  change([&](json::Object& object) { set_ran(object, record, start); });
}

void ProofedDeployment::failed(const Error& error) {
  change([&](json::Object& object) { set_failed(object, error); });
}

bool ProofedDeployment::proved(const ProofOfRun& proof) {
  if (!is_proof_of(read(m_file), proof)) return false;
  change([&](json::Object& object) { set_proved(object, proof); });
  return true;
}

void ProofedDeployment::pool_ended() {
  if (!std::filesystem::exists(m_file)) return;
  change([](json::Object& object) {
    auto& status = member(object, "status");
    if (status.find("warmReplicas") == nullptr) return;
    status.set("warmReplicas", 0);
    set_condition(object, {"Warm", false, "Deleted", "capsule-deploy delete ended the warm pool"});
  });
}

}  // namespace capsule::deploy
