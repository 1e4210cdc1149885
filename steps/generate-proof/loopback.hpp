#pragma once

#include <functional>

#include "fs/fd.hpp"

namespace generate_proof {

/// The network of the thread that made this; other threads can come back to it.
class HomeNetwork {
 public:
  HomeNetwork();
  /// Puts the calling thread into it, if it is elsewhere. Error unavailable where the kernel refuses.
  void enter() const;

 private:
  capsule::fs::Fd m_namespace;
};

/// Calls `work` in a thread of its own whose network is a fresh loopback and nothing else; threads and processes that
/// `work` starts have the same. Without the right to that (nobody but root has it) `work` has the caller's network, and
/// a warning says so. What `work` throws is thrown here.
void with_loopback_alone(const std::function<void()>& work);

}  // namespace generate_proof
