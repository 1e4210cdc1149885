#pragma once

#include "options.hpp"

namespace register_step {

/// Puts a published and proved capsule into the signed index of its name. The same again changes nothing.
void register_capsule(const Options& options, capsule::step::Context& step);
/// Finds what a URI names.
void resolve(const Options& options, capsule::step::Context& step);
/// Lists names, or the versions of a name.
void list(const Options& options, capsule::step::Context& step);

}  // namespace register_step
