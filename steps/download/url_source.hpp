#pragma once

#include "core/url.hpp"
#include "download.hpp"

namespace download {

/// Downloads a package over https (http on loopback), and the siblings that the server has beside it. Goes on where an
/// earlier try, also of a killed process, ended, if the server still has the same bytes. With a digest that is in the
/// store already nothing is asked for; without one, what was downloaded before is asked for on condition.
Result fetch_url(const capsule::Url& url, const Order& order, const Surroundings& surroundings);

}  // namespace download
