#pragma once

#include <optional>
#include <string>
#include <vector>

#include "capsule/manifest.hpp"
#include "core/digest.hpp"
#include "core/time.hpp"
#include "deploy/host_identity.hpp"
#include "json/value.hpp"
#include "oci/store.hpp"

namespace capsule::deploy {

/// What a run is asked for: fixed and stored before it starts, so that a retry is the same run.
/// A record that is larger could not be checked: what proves runs reads no more.
inline constexpr std::size_t max_run_record_bytes = std::size_t{16} << 20U;

struct RunRequest {
  Digest capsule_digest;
  std::string target;      ///< e.g. "this-machine:<id>"
  json::Value parameters;  ///< an object
  std::uint64_t seed = 0;  ///< below 2^53: JSON numbers are exact up to there (RFC 8785 §3.2.2.3)
  std::uint64_t budget = 0;
  std::uint64_t ordinal = 1;

  /// First 16 hexadecimal digits of SHA-256 of canonical {budget, capsule, ordinal, parameters, seed, target}.
  [[nodiscard]] std::string run_id() const;
  /// What the runner reads: {parameters, seed, budget}.
  [[nodiscard]] json::Value input() const;
};

/// How a run began: in a process that had loaded all and waited for it, or in one that was started for it; and why so.
struct RunStart {
  enum class Mode { cold, warm };
  Mode mode = Mode::cold;
  std::string reason;
};

/// What deploy measured of a run.
struct RunFacts {
  Time started_at;
  Time finished_at;
  std::uint64_t result_ms = 0;  ///< from the start, or the claim of a waiting process, until the result was there
  int exit_code = 0;
  json::Value result;        ///< the runner's JSON object
  std::uint64_t cpu_ms = 0;  ///< of the whole process, with what it loaded while it waited
  std::uint64_t max_rss_bytes = 0;
  double energy_joules = 0;
  bool energy_estimated = true;
  Digest log_digest;          ///< of the runner's stderr
  json::Value confinement{};  ///< {held, missing}: process/confinement.hpp
  RunStart start{};
};

/// Where and how it ran.
struct RunPlace {
  std::string node_name;
  HostIdentity identity;
  std::vector<std::string> gpus;
  std::vector<std::string> waived;
};

/// The run record (README.md, "The run record"): canonical JSON, written once, never remade.
std::string run_record(const Manifest& manifest, const RunRequest& request, const RunFacts& facts,
                       const RunPlace& place);

/// Attaches a run record to its version index, under its run_id; the same again changes nothing. Returns its digest.
Digest attach_run_record(oci::Store& store, const oci::Descriptor& version_index, const std::string& record);

/// The record of that run, where it is attached to the version index already; nothing where it is not. Of several the
/// first that the store names.
std::optional<std::string> find_run_record(oci::Store& store, const Digest& version_index, const std::string& run_id);

/// Whether that blob is there and is the record of that run.
bool is_run_record(oci::Store& store, const Digest& record, const std::string& run_id);

/// SHA-256 of canonical `result` without its member `measured`.
Digest output_digest(const json::Value& result);

}  // namespace capsule::deploy
