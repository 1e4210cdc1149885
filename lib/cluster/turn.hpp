#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cluster/objects.hpp"
#include "core/digest.hpp"
#include "kube/lease.hpp"

namespace capsule::cluster {

/// A name for who takes a lease, another one for each process: in a pod it has the pod's.
std::string holder_name();

/// Our turn to change a deployment: holds Lease `capsule-<name>`, given back at the end, also after an error. One that
/// was killed is taken over once its lease has run out.
class Turn {
 public:
  /// Waits for another deploy of the same capsule, since it may do our work, and for a removal, as long as `patience`;
  /// Error busy after that, and where a deploy of another capsule is at work, as soon as it shows that it lives.
  /// Without `capsule`, to remove it: waits for whoever is at work, and the lease is nobody's from then on.
  Turn(kube::Client& client, const std::string& ns, const std::string& name, const std::optional<Digest>& capsule,
       std::chrono::milliseconds patience, std::string holder = holder_name());
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

  /// The lease goes with that object from now on, or with none. False: it went with another one, which was removed: the
  /// turn is over, and is to be taken anew before anything is written.
  [[nodiscard]] bool belong_to(const std::optional<Owner>& owner);
  /// To be called about once a second. Error busy: it is lost.
  void keep() { m_lease.keep(); }
  [[nodiscard]] std::uint64_t number() const { return static_cast<std::uint64_t>(m_lease.transitions()); }

  static kube::Name lease_name(const std::string& ns, const std::string& name);

 private:
  kube::Lease m_lease;
};

}  // namespace capsule::cluster
