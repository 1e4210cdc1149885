#include "cluster/proof_note.hpp"

#include <fmt/format.h>

#include "cluster/events.hpp"
#include "cluster/failed_try.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/pod_owner.hpp"
#include "core/error.hpp"

namespace capsule::cluster {

namespace {

json::Object proof_annotations(const json::Value& object) {
  json::Object out;
  for (const auto& [annotation, pointer] :
       {std::pair{"utid", "/status/proofUtid"}, {"proofHash", "/status/proofHash"}, {"proofId", "/status/proofId"}}) {
    if (auto text = text_at(object, pointer); !text.empty()) out.set(annotation, printable(text));
  }
  return out;
}

bool has_all(const json::Value& pod, const json::Object& annotations) {
  const auto* there = pod.at_pointer("/metadata/annotations");
  for (const auto& [name, value] : annotations) {
    const auto* found = there == nullptr || there->if_object() == nullptr ? nullptr : there->if_object()->find(name);
    if (found == nullptr || !(*found == value)) return false;
  }
  return true;
}

}  // namespace

void mark_pods(kube::Client& client, const json::Value& object) {
  const auto annotations = proof_annotations(object);
  if (annotations.empty()) return;
  const auto ns = text_at(object, "/metadata/namespace");
  const auto ours = fmt::format("app={},{}", text_at(object, "/metadata/name"), label::pod_template);
  for (const auto& pod : client.list(kube::resources::pods, ns, {.labels = ours}).items) {
    const bool is_its = is_named_after(pod, deployment_name(text_at(object, "/metadata/name")));
    if (!is_its || pod.at_pointer("/metadata/deletionTimestamp") != nullptr || has_all(pod, annotations)) continue;
    const json::Object patch{{"metadata", json::Object{{"annotations", annotations}}}};
    try {
      client.patch({kube::resources::pods, ns, text_at(pod, "/metadata/name")}, kube::PatchKind::merge, patch);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;  // it has gone meanwhile
    }
  }
}

bool note_proof(kube::Client& client, const std::string& ns, const std::string& name, const deploy::ProofOfRun& proof) {
  DeployedObject object{client, ns, name};
  const auto* there = object.read();
  if (there == nullptr || !deploy::is_proof_of(*there->if_object(), proof)) return false;
  const auto before = text_at(*there, "/status/proofDigest");
  object.change_status([&](json::Object& changed) {
    // Another run may have begun while somebody else's change came in between.
    if (!deploy::is_proof_of(changed, proof)) return;
    clear_failed_proof(changed, proof.run_record);
    deploy::set_proved(changed, proof);
  });
  object.say_proof(text_at(object.value(), "/status/proofUtid"), text_at(object.value(), "/status/proofHash"));
  if (before != proof.bundle.text())
    tell(client, object.value(), EventType::normal, "Proved", fmt::format("the last run is proved: {}", proof.proof_id),
         "capsule-register");
  mark_pods(client, object.value());
  return true;
}

}  // namespace capsule::cluster
