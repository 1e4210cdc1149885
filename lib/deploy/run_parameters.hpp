#pragma once

#include "capsule/manifest.hpp"
#include "json/value.hpp"

namespace capsule::deploy {

/// Holds what a run is given against the manifest's `parameters`: only those that it declares, of their type, within
/// their bounds. A manifest that declares none leaves the choice to its runner. Error usage that names the parameter.
/// Pure.
void check_parameters(const Manifest& manifest, const json::Value& parameters);

}  // namespace capsule::deploy
