#pragma once

#include "download.hpp"
#include "image/published_package.hpp"
#include "oci/reference.hpp"

namespace download {

/// Brings a published package into the store, put together from its layers. What the registry says of it is a claim:
/// the bytes are hashed, and another package digest than the claimed one is Error verification_failed. The signature
/// that is attached to the version index comes along.
Result fetch_published(const capsule::oci::Reference& reference, const Order& order, const Surroundings& surroundings);

/// Names a published package by the digest of its version index, and leaves it where it is: whoever reads it verifies
/// it.
Result name_published(const capsule::oci::Reference& reference, const Order& order);

/// What is published there. Errors where it is not what was ordered, as far as the registry says.
capsule::image::PublishedPackage read_ordered(capsule::oci::Store& from, const capsule::oci::Reference& reference,
                                              const Order& order);

}  // namespace download
