#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/url.hpp"
#include "fs/fd.hpp"

namespace capsule::deploy {

/// A hook's proof.json; a larger one is refused.
inline constexpr std::size_t max_proof_bytes = std::size_t{16} << 20U;

/// What a capsule's proof hook is given.
struct HookCall {
  fs::Path root;           ///< the unpacked capsule
  std::string file;        ///< of the hook, in it
  fs::Path folder;         ///< ours, for what the hook reads and writes; it exists
  std::string run_record;  ///< the record's bytes
  Url service;             ///< PROOF_SERVICE_URL, on our loopback: its only way out
  std::string utid;
  Digest proof_hash;
  Digest claims_digest;
  std::chrono::milliseconds time_limit{};
  std::optional<std::uint64_t> memory{};       ///< bytes that the capsule's manifest asks for
  std::optional<std::uint64_t> folder_size{};  ///< bytes that `folder` may hold; none: only the disk's reserve counts
  bool only_way_out = false;                   ///< it is not run where it could reach more than the service
};

/// A hook that ended well.
struct HookEnd {
  std::string proof;                 ///< the bytes of proof.json: nothing of them is believed
  std::string said;                  ///< its stderr
  std::vector<std::string> missing;  ///< parts of its confinement that could not be had (process/confinement.hpp)
};

/// Runs the capsule's proof hook, confined, in the network of the calling thread, and reads the proof.json that it
/// leaves. No process of it is left when this returns. Errors capsule_failed (exit code, signal, too much output, no
/// proof.json or one that is too large; with its last words), timed_out, unmet_requirement (only_way_out).
HookEnd run_hook(const HookCall& call);

}  // namespace capsule::deploy
