#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "core/url.hpp"
#include "fs/lock.hpp"

namespace capsule::oci {

/// What is known of an upload that a process began and did not end, in a file of the state folder, so that the next one
/// goes on. One process at a time has it; the others upload without a record. The file is for its owner alone (mode
/// 0600): a Location can be a credential. It goes with the end of the upload, or after a week, when no registry
/// keeps a session any more.
class UploadRecord {
 public:
  /// Of one blob on its way to `uploads` (the URL that begins uploads). An empty folder: nothing is kept.
  UploadRecord(const fs::Path& folder, const Url& uploads, const Digest& blob);
  UploadRecord(const UploadRecord&) = delete;
  UploadRecord& operator=(const UploadRecord&) = delete;
  ~UploadRecord();

  /// Where the former process was told to go on; nothing if there was none.
  [[nodiscard]] const std::optional<Url>& location() const noexcept { return m_location; }
  void save(const Url& location);
  /// The upload is done, or will never be.
  void forget() noexcept;

 private:
  fs::Path m_path;  ///< empty: nothing is kept
  std::optional<fs::FileLock> m_lock;
  std::optional<Url> m_location;
};

}  // namespace capsule::oci
