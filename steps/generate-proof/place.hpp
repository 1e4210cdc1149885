#pragma once

#include <optional>
#include <string>

#include "core/digest.hpp"
#include "deploy/replay.hpp"
#include "image/published_package.hpp"
#include "json/value.hpp"
#include "proof/proof_service.hpp"
#include "replay/unpacked.hpp"

namespace generate_proof {

/// The published capsule, unpacked.
struct Subject {
  capsule::image::PublishedPackage published;
  capsule::replay::Unpacked unpacked;
  std::string hook;  ///< path of generate_proof.py in the capsule; empty: it has none
};

/// What the hook is asked to prove.
struct HookWish {
  std::string run_record;  ///< the record's bytes
  std::string utid;
  capsule::Digest proof_hash;
  capsule::Digest claims_digest;
  std::optional<capsule::proof::ServiceProof>
      known;  ///< the proof that an earlier try was given: the hook gets it again
};

/// What the hook says: nothing of it is believed.
struct HookAnswer {
  std::string proof_id;
  capsule::json::Value evidence;  ///< an array
};

/// Where the capsule's own code runs: it is not trusted, and must not come near to the key that signs the bundle.
class Place {
 public:
  Place() = default;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  virtual ~Place() = default;

  /// Runs the hook, confined; its only way out is a relay to the proof service. Errors capsule_failed (with its last
  /// words, or no good proof.json), timed_out; where it was not served, why: a retry may help.
  virtual HookAnswer ask_hook(const HookWish& wish, capsule::proof::ProofService& service) = 0;
  /// Makes runs of the capsule that know nothing of each other.
  virtual capsule::deploy::FreshRun fresh_run() = 0;
};

/// Reads proof.json. Error capsule_failed, naming the hook's file.
HookAnswer parse_answer(const std::string& proof, const std::string& hook);

/// A hook that failed because it was not served is no fault of the capsule: `failure` is then thrown in the place of
/// `error`.
[[noreturn]] void throw_as_served(const capsule::Error& error, const std::optional<capsule::Error>& failure);

/// This machine: both are children of this process, which have no network but the relay.
class ThisMachinePlace final : public Place {
 public:
  ThisMachinePlace(const Subject& capsule, std::chrono::milliseconds time_limit)
      : m_capsule(capsule), m_time_limit(time_limit) {}
  HookAnswer ask_hook(const HookWish& wish, capsule::proof::ProofService& service) override;
  capsule::deploy::FreshRun fresh_run() override { return {}; }  // as replay::run_again does it by itself

 private:
  const Subject& m_capsule;
  std::chrono::milliseconds m_time_limit;
};

}  // namespace generate_proof
