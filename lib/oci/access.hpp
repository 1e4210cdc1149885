#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "http/host_list.hpp"

namespace capsule::oci {

/// What was found out of registries on the way: how they are spoken to, who we are there.
class RegistrySessions;
std::shared_ptr<RegistrySessions> make_registry_sessions();

/// How registries over HTTP may be reached, as the command line says it. A layout in a folder needs none of it.
struct Access {
  http::HostList insecure_registries;  ///< may be spoken to over plain http
  http::HostList auth_hosts;           ///< further hosts that tokens and uploads may be sent to
  /// PEM certificates to trust in place of the system's file (http::CurlLimits::ca_file); empty: none.
  std::string ca_file;
  /// Folder of what is known of unfinished uploads, and of which repository holds which large blob; empty: a new
  /// process begins uploads anew, and mounts nothing but what `mount_from` holds.
  std::string uploads;
  /// Repositories of the registry that is written to which may hold what it lacks elsewhere.
  std::vector<std::string> mount_from{};
  /// How long a server may be silent or unavailable before one transfer is given up.
  std::chrono::milliseconds time_limit{30'000};
  /// Shared by all copies, so that nobody is asked twice.
  std::shared_ptr<RegistrySessions> sessions = make_registry_sessions();
};

}  // namespace capsule::oci
