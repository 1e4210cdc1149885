#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/time.hpp"
#include "crypto/key.hpp"
#include "fs/fd.hpp"

namespace capsule::deploy {

/// The extended key usage of a host certificate: an OID of ours, below the arc of UUIDs (X.667).
inline constexpr std::string_view host_certificate_usage = "2.25.884494138300892562203593607576801996";

/// Who this machine says it is, and what that is worth.
struct HostIdentity {
  enum class Binding {
    none,
    soft,       ///< the machine made its certificate for itself
    certified,  ///< a trusted key binds the UTID to this machine; nothing was signed here and now, so it is not
                ///< attested
  };
  Binding binding = Binding::none;
  std::string utid;    ///< empty for none
  std::string reason;  ///< why it is not certified
};
std::string_view name_of(HostIdentity::Binding binding) noexcept;  ///< "none", "soft", "certified"

/// What the identity is held against.
struct HostIdentityCheck {
  std::string node_name;
  std::string node_id;                     ///< Host::id
  std::vector<crypto::PublicKey> trusted;  ///< of the role utid; none: nothing can be certified
  std::function<bool(const Digest&)> is_revoked;
  Time at;
};

/// What a UTID and a certificate (PEM: that of the machine first, what stands above it behind) say of a machine.
/// Certified: it leads to a trusted key (crypto::chain_fault), is for host_certificate_usage, its CN is the node's
/// name, its subjectAltName has the UTID and `node-uid:<id>` as URIs, and neither a certificate nor a key of the chain
/// is revoked. One that the machine signed for itself is soft. What does not hold is a reason, never an error.
HostIdentity judge_host_identity(const std::string& utid, const std::string& certificate,
                                 const HostIdentityCheck& check);

/// The same of a file `{"utid": "UTID:…", "certificate": "-----BEGIN CERTIFICATE-----…"}`.
HostIdentity read_host_identity(const fs::Path& file, const HostIdentityCheck& check);

}  // namespace capsule::deploy
