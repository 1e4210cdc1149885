#pragma once

#include "oci/store.hpp"
#include "resolve/proved_capsule.hpp"

namespace register_step {

/// Attaches again what the record names and the version index does not list (any more): the proof bundle, the run
/// record that it is about, the receipts. In a registry without the referrers API two who attach at once can lose one
/// of two entries; what is registered is there to stay.
void keep_referrers(capsule::oci::Store& store, const capsule::resolve::ProvedCapsule& proved);

}  // namespace register_step
