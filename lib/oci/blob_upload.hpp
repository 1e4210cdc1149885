#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "http/client.hpp"
#include "http/retry.hpp"
#include "oci/blob_content.hpp"

namespace capsule::oci {

/// Where a blob goes to.
struct UploadPlace {
  Url blob;                               ///< …/blobs/<digest>
  Url uploads;                            ///< …/blobs/uploads/
  std::vector<std::string> mount_from{};  ///< repositories of the same registry that may have it
};

struct UploadSettings {
  std::uint64_t one_put = std::uint64_t{64} << 20U;  ///< up to that size a blob goes in one request
  /// Bytes of a part, at least: a seventh of the blob up to the larger one, for each part costs a registry several
  /// writes to its disk; more where the registry asks for more, the least again where it takes no such body (413).
  std::uint64_t chunk = std::uint64_t{32} << 20U;
  std::uint64_t largest_chunk = std::uint64_t{256} << 20U;
  http::RetryPolicy retry{};
  http::Timer timer = http::Timer::real();
  fs::Path records{};  ///< folder of UploadRecord; empty: a new process begins anew
};

enum class Uploaded { already_there, mounted, sent };

/// Brings a blob into a repository (distribution-spec 1.1, "Pushing blobs"): nothing where it is there, a mount where
/// another repository has it, else one PUT or, for a large blob, PATCHes; where those are refused, one PUT again.
///
/// What is sent is hashed on the way: another content is Error verification_failed before the last byte is sent (with
/// Check::registry when the registry has refused it). After
/// a failure that may pass it asks where the registry stands and goes on there, or begins anew where the session is
/// lost; also where a former process was killed. A failure for good ends the session, so that nothing is left behind.
/// Errors: those of the registry's answers; unavailable or timed_out when no try is left; then the session stays.
/// `client` must not try again by itself; where a Location may lead to, is its affair.
Uploaded upload_blob(http::Client& client, const UploadPlace& place, const BlobContent& content,
                     const UploadSettings& settings);

/// Where an answer's Location sends an upload, against the URL that answered. Error invalid_input; the message holds
/// nothing of it, for it can be a credential.
Url upload_location(const Url& answered, const std::string& location);

}  // namespace capsule::oci
