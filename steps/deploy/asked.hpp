#pragma once

#include <string>

#include "order.hpp"

namespace deploy_step {

/// One word for all options of which the objects on a cluster are made, as the receipt of a deploy has it
/// (cluster/receipt.hpp). The plan compares it, so it needs the same options. Pure.
std::string asked(const Order& order);

}  // namespace deploy_step
