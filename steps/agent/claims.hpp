#pragma once

#include <string>
#include <vector>

#include "fs/fd.hpp"

namespace agent {

/// A run that was claimed.
struct ClaimedRun {
  std::string run_id;
  std::string input_digest;
};

/// The runs that were claimed, each as often as it was, with the digest of each one's input, in a file that outlives
/// the agent: a container that is started again in the same pod must not run what ran before. Not durable against a
/// crash of the machine, which ends the pod.
class Claims {
 public:
  /// `file` empty: nothing is kept. Error malformed where the file is no such list.
  explicit Claims(capsule::fs::Path file);
  [[nodiscard]] const std::vector<ClaimedRun>& list() const noexcept { return m_list; }
  /// Error denied or unavailable where it cannot be kept; then the run must not begin.
  void add(const ClaimedRun& run);

 private:
  capsule::fs::Path m_file;
  std::vector<ClaimedRun> m_list;
};

}  // namespace agent
