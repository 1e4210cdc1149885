#pragma once

#include "image/verified_form.hpp"
#include "oci/store.hpp"
#include "publish.hpp"

namespace publish {

/// The version is taken by `there`, which is not what `ours` would put: the same capsule in another package that the
/// policy accepts, which is as good and is what is returned, or Error conflict.
Published settle_with(const capsule::oci::Descriptor& there, capsule::oci::Store& store,
                      const capsule::attest::TrustPolicy& policy, Published ours);

}  // namespace publish
