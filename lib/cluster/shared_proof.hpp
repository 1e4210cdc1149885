#pragma once

#include <optional>
#include <string>

#include "cluster/deployed_object.hpp"
#include "cluster/proof_in_flight.hpp"

namespace capsule::cluster {

/// The proof in flight of one run, as the capsule's ProofedDeployment object has it: a try in another pod, which finds
/// an empty state folder, goes on with it. Written under a precondition of the object's resourceVersion. Where there is
/// no such object, nothing is kept. Errors of kube::Client.
class SharedProof {
 public:
  SharedProof(kube::Client& client, const std::string& ns, const std::string& name, const Digest& run_record);

  /// Nothing where none was begun.
  std::optional<ProofInFlight> read();
  /// Reads first, where nobody has. Error busy where somebody else has written since then: the first one's counts.
  void write(const ProofInFlight& proof);
  /// It is published; what a failure before has said is taken back.
  void end();

 private:
  bool is_there();

  DeployedObject m_object;
  Digest m_run_record;
  bool m_is_read = false;
  std::optional<ProofInFlight> m_last;  ///< what we know to stand there
};

}  // namespace capsule::cluster
