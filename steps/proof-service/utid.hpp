#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/secret.hpp"
#include "fs/fd.hpp"

namespace proof_service {

/// What a UTID is made and recognised with.
struct UtidSecrets {
  capsule::Secret signing;
  capsule::Secret attestation;
  std::string host_id;  ///< 12 hexadecimal digits; no secret
};

/// The variables of a UTID.
struct UtidParts {
  std::string nonce;  ///< 32 hexadecimal digits
  std::int64_t issued_at_ms = 0;
  std::map<std::string, std::string> context;
};

/// `UTID:REAL:<nonce>:<issued_at_ms>:<context digest or none>:<sig>:<attestation>` (README.md, "UTID").
std::string make_utid(const UtidSecrets& secrets, const UtidParts& parts);

/// Whether `text` has that form and both signatures are ours.
bool is_own_utid(const UtidSecrets& secrets, std::string_view text);

/// Of a UTID that is issued now, with a random nonce.
UtidParts fresh_utid(std::map<std::string, std::string> context);

/// From `file`, which is made (mode 0600) with fresh random secrets where it is missing. What UTID_SECRET,
/// UTID_ATTESTATION_KEY and UTID_HOST_ID hold, if set, is used instead.
UtidSecrets load_utid_secrets(const capsule::fs::Path& file);

/// Compares without telling by its time where the difference is.
bool same_secret(std::string_view left, std::string_view right) noexcept;

}  // namespace proof_service
