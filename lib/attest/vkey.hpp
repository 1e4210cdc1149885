#pragma once

#include <string>
#include <string_view>

#include "crypto/key.hpp"

namespace capsule::attest {

/// The key of a transparency log with its name, as C2SP signed-note writes it: `<name>+<8 hex>+<base64>`.
struct LogKey {
  std::string name;
  crypto::PublicKey key;
};

/// Error usage naming `what`: another form, a hash that does not fit, another algorithm than Ed25519 (1).
LogKey parse_vkey(std::string_view text, std::string_view what);

}  // namespace capsule::attest
