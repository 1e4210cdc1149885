#pragma once

#include <string>

#include "image/published_package.hpp"
#include "order.hpp"

namespace deploy_step {

/// A digest of all options of which the objects on a cluster are made, as the receipt of a deploy has it
/// (cluster/receipt.hpp): 16 hexadecimal digits. The plan compares it, so it needs the same options. Pure.
std::string options_digest(const Options& options, const capsule::oci::Reference& reference);

/// The same for a plan, which is told where the capsule comes from: where the deploy that left the receipt had it from
/// the loop's registry (--registry), to which publish takes it, that one's.
std::string options_digest_of_loop(const Order& order, const capsule::image::PublishedPackage& published,
                                   std::string_view receipt);

}  // namespace deploy_step
