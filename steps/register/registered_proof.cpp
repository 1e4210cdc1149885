#include "registered_proof.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/time.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"
#include "resolve/resolve.hpp"

namespace register_step {

using namespace capsule;

namespace {

Time end_of_run(const proof::CheckedProof& proof) {
  const auto record = json::parse(proof.run_record, "the run record");
  return parse_time(json::Cursor{record, "the run record"}.at("finished_at").string());
}

}  // namespace

bool keeps(const index::Record& there, const index::Record& ours, const capsule::resolve::ProvedCapsule& proved,
           oci::Store& store, const attest::TrustPolicy& trust) {
  const bool is_of_another_run = there.proof && ours.proof && there.proof->digest != ours.proof->digest;
  if (!is_of_another_run || there.yanked || there.index_digest != ours.index_digest ||
      there.package_digest != ours.package_digest)
    return false;
  try {
    const auto other = capsule::resolve::check_registered_proof(store, there, proved.facts, trust);
    // Of the same run it was made anew, as with another key: that is what is to be registered.
    if (other.proof->bundle.run_record == proved.proof->bundle.run_record) return false;
    // A clock that ran ahead must not keep everybody else's out until that time comes.
    if (const auto end = end_of_run(*other.proof); end < end_of_run(*proved.proof) || end > now()) return false;
  } catch (const Error& error) {
    const bool is_bad = error.kind() == ErrorKind::verification_failed || error.kind() == ErrorKind::not_found ||
                        error.kind() == ErrorKind::invalid_input;
    if (!is_bad) throw;  // it could not be looked at
    log::info(fmt::format("the proof {} that the index has is good no more: {}", printable(there.proof->id),
                          error.message()));
    return false;
  }
  log::info(
      fmt::format("the index has a good proof of {}:{}, of a run that is no older: {} stays there, and {} is noted "
                  "where it was run alone",
                  there.name, there.version, there.proof->id, ours.proof->id));
  return true;
}

}  // namespace register_step
