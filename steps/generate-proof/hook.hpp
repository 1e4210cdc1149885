#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/digest.hpp"
#include "core/url.hpp"
#include "fs/fd.hpp"
#include "json/value.hpp"

namespace generate_proof {

/// What the hook is given.
struct HookCall {
  capsule::fs::Path root;    ///< the unpacked capsule
  std::string file;          ///< of the hook, in it
  capsule::fs::Path folder;  ///< ours, for what the hook reads and writes; it exists
  std::string run_record;    ///< the record's bytes
  capsule::Url service;      ///< PROOF_SERVICE_URL
  std::string utid;
  capsule::Digest proof_hash;
  capsule::Digest claims_digest;
  std::chrono::milliseconds time_limit;
  std::optional<std::uint64_t> memory;  ///< bytes that the capsule's manifest asks for
};

/// What the hook says: nothing of it is believed.
struct HookAnswer {
  std::string proof_id;
  capsule::json::Value evidence;  ///< an array
};

/// Runs the capsule's proof hook, confined, in the network of the calling thread, and reads the proof.json that it
/// leaves. No process of it is left when this returns. Errors capsule_failed (exit code, signal, too much output, no or
/// a malformed proof.json; with its last words), timed_out.
HookAnswer run_hook(const HookCall& call);

}  // namespace generate_proof
