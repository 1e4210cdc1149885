#pragma once

#include <chrono>
#include <string>

#include "http/host_list.hpp"

namespace capsule::oci {

/// How registries over HTTP may be reached, as the command line says it. A layout in a folder needs none of it.
struct Access {
  http::HostList insecure_registries;  ///< may be spoken to over plain http
  http::HostList auth_hosts;           ///< further hosts that tokens and uploads may be sent to
  std::string ca_file;                 ///< PEM certificates to trust instead of the system's; empty: those
  /// How long a server may be silent or unavailable before one transfer is given up.
  std::chrono::milliseconds time_limit{30'000};
};

}  // namespace capsule::oci
