#pragma once

#include "download.hpp"
#include "image/capsule_input.hpp"

namespace download {

/// Whether what is published in a layout, a folder of this machine, is to go on into a registry over HTTP, which other
/// machines reach.
bool leaves_layout(const capsule::oci::Reference& source, const Options& options);

/// Puts what is in no registry into that of `options.registry`, without a tag (upload_untagged), and names it there.
/// Of a URL, the package comes by way of the working store, so that a killed download goes on. Errors usage (no
/// registry is given), invalid_input (too large), those of upload_untagged.
Result hand_over_url(const capsule::Url& url, const Options& options, const Order& order,
                     const Surroundings& surroundings);
Result hand_over_file(const capsule::fs::Path& path, const Options& options, const Order& order,
                      const Surroundings& surroundings);
/// The same of a version in a layout. Error verification_failed where its package does not make that version.
Result hand_over_published(const capsule::oci::Reference& source, const Options& options, const Order& order,
                           const Surroundings& surroundings);

}  // namespace download
