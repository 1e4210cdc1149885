#include "cluster/proof_in_flight.hpp"

#include "cluster/node.hpp"
#include "deploy/deployment_status.hpp"

namespace capsule::cluster {

namespace {

constexpr std::string_view list_name = "proofsInFlight";
constexpr std::size_t most = 16;

json::Array proofs_of(const json::Value& object) {
  const auto* found = object.at_pointer("/status/proofsInFlight");
  const auto* list = found == nullptr ? nullptr : found->if_array();
  return list == nullptr ? json::Array{} : *list;
}

json::Array others(const json::Value& object, const Digest& run_record) {
  json::Array out;
  for (auto& entry : proofs_of(object))
    if (text_at(entry, "/runRecord") != run_record.text()) out.push_back(std::move(entry));
  return out;
}

}  // namespace

std::optional<ProofInFlight> proof_in_flight(const json::Value& object, const Digest& run_record) {
  for (const auto& entry : proofs_of(object)) {
    if (text_at(entry, "/runRecord") != run_record.text()) continue;
    return ProofInFlight{text_at(entry, "/service"), text_at(entry, "/utid"), text_at(entry, "/proofId")};
  }
  return std::nullopt;
}

void set_proof_in_flight(json::Object& object, const Digest& run_record, const ProofInFlight& proof) {
  if (proof_in_flight(json::Value{object}, run_record) == proof) return;
  auto list = others(json::Value{object}, run_record);
  if (list.size() >= most) list.erase(list.begin(), list.end() - (most - 1));
  json::Object entry{{"runRecord", run_record.text()}, {"service", proof.service}, {"utid", proof.utid}};
  if (!proof.proof_id.empty()) entry.set("proofId", proof.proof_id);
  list.emplace_back(std::move(entry));
  deploy::member(object, "status").set(std::string{list_name}, std::move(list));
}

void end_proof_in_flight(json::Object& object, const Digest& run_record) {
  if (!proof_in_flight(json::Value{object}, run_record)) return;
  auto list = others(json::Value{object}, run_record);
  auto& status = deploy::member(object, "status");
  if (list.empty())
    status.erase(std::string{list_name});
  else
    status.set(std::string{list_name}, std::move(list));
}

}  // namespace capsule::cluster
