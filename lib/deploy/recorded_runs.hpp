#pragma once

#include <vector>

#include "core/time.hpp"
#include "deploy/run_ledger.hpp"
#include "oci/store.hpp"

namespace capsule::deploy {

/// A run whose record is attached to a version index.
struct RunOnRecord {
  RunRequest request;
  Digest record;
  Time finished_at{};
};

/// The runs on record at a version index that answer a wish: of its capsule, target, parameters and budget, and of its
/// seed where it names one. What is no whole run record is passed over. Reads every record that is attached there, so
/// it is for where it is not known which runs there were. Errors of the store that a retry helps.
std::vector<RunOnRecord> recorded_runs(oci::Store& store, const Digest& version_index, const RunWish& wish);

}  // namespace capsule::deploy
