#include "proofed_deployment.hpp"

#include "core/time.hpp"
#include "fs/atomic_file.hpp"
#include "json/write.hpp"

namespace deploy_step {

using namespace capsule;

ProofedDeployment::ProofedDeployment(fs::Path file, const VerifiedCapsule& capsule, std::string image)
    : m_file(std::move(file)), m_capsule(capsule), m_image(std::move(image)) {}

void ProofedDeployment::set_phase(std::string_view phase, const std::string& run_id) const {
  const auto& manifest = m_capsule.manifest();
  json::Array types;
  for (const auto& type : manifest.proof_policy.types) types.emplace_back(type);
  json::Object spec{
      {"capsule", json::Object{{"name", manifest.name},
                               {"version", manifest.version},
                               {"digest", m_capsule.capsule_digest().text()},
                               {"image", m_image}}},
      {"proofPolicy", json::Object{{"required", manifest.proof_policy.required}, {"proofTypes", std::move(types)}}},
      {"prewarm", manifest.prewarm_replicas > 0}};
  for (const auto& requirement : manifest.requirements) {
    if (requirement.kind == Requirement::Kind::utid) spec.set("utidBinding", json::Object{{"type", requirement.word}});
  }
  const json::Object object{
      {"apiVersion", "infra.industriverse.ai/v1"},
      {"kind", "ProofedDeployment"},
      {"metadata", json::Object{{"name", manifest.name}}},
      {"spec", std::move(spec)},
      {"status",
       json::Object{{"phase", phase}, {"lastRun", json::Object{{"runId", run_id}, {"time", format_time(now())}}}}}};
  fs::write_file(m_file, json::pretty(object));
}

}  // namespace deploy_step
