#pragma once

#include <functional>
#include <memory>

#include "oci/store.hpp"

/// What every Store must do, whatever stands behind it. `open` gives a new store of one repository that is empty at
/// first; each call is as another process would see it.
void check_store_contract(const std::function<std::unique_ptr<capsule::oci::Store>()>& open);
