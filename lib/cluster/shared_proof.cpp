#include "cluster/shared_proof.hpp"

#include "cluster/failed_try.hpp"
#include "core/error.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

SharedProof::SharedProof(kube::Client& client, const std::string& ns, const std::string& name, const Digest& run_record)
    : m_object(client, ns, name), m_run_record(run_record) {}

bool SharedProof::is_there() {
  if (!std::exchange(m_is_read, true)) {
    try {
      m_object.read();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;  // the cluster knows no such objects
    }
    if (m_object.known() == nullptr)
      log::info("there is no ProofedDeployment object: this proof is remembered in the state folder alone");
    else
      m_last = proof_in_flight(m_object.value(), m_run_record);
  }
  return m_object.known() != nullptr;
}

std::optional<ProofInFlight> SharedProof::read() {
  static_cast<void>(is_there());
  return m_last;
}

void SharedProof::write(const ProofInFlight& proof) {
  if (!is_there()) return;
  m_object.change_status([&](json::Object& object) {
    const auto there = proof_in_flight(json::Value{object}, m_run_record);
    if (there != m_last && there != proof)
      throw Error{ErrorKind::busy,
                  "another proof of this run is at work: it has changed status.proofsInFlight of the " +
                      kube::text_of(m_object.name())};
    set_proof_in_flight(object, m_run_record, proof);
  });
  m_last = proof;
}

void SharedProof::end() {
  if (!is_there()) return;
  m_object.change_status([&](json::Object& object) {
    end_proof_in_flight(object, m_run_record);
    clear_failed_proof(object, m_run_record);
  });
  m_last.reset();
}

}  // namespace capsule::cluster
