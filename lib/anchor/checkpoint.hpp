#pragma once

#include <string>
#include <string_view>

#include "anchor/merkle.hpp"
#include "crypto/key.hpp"

namespace capsule::anchor {

/// A signed note is no larger.
inline constexpr std::size_t max_note_bytes = 16384;

/// What a log commits to: its first `size` entries have the root `root` (C2SP tlog-checkpoint).
struct Checkpoint {
  std::string origin;  ///< the log's name; no white space, no '+'
  std::uint64_t size = 0;
  TreeHash root{};
};

/// A signed note (C2SP signed-note) with one Ed25519 signature line of `signer`, whose key name is the origin. Error
/// usage for a key of another type.
std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::Signer& signer);

/// Parses a signed note and checks that `key` signed it. Error verification_failed; lines of other keys are ignored, as
/// the specification wants.
Checkpoint verify_checkpoint(std::string_view note, const crypto::PublicKey& key);

/// The origin that a note claims, before any signature is checked: to choose the key.
std::string claimed_origin(std::string_view note);

/// The log's public key as a C2SP vkey: `<name>+<8 hex>+<base64>`.
std::string vkey_of(std::string_view name, const crypto::PublicKey& key);

/// Whether a log may have this name: what a vkey can hold, and what makes one file-system-safe line.
bool is_log_name(std::string_view name) noexcept;

}  // namespace capsule::anchor
