#include "insecure_service.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "log/log.hpp"

namespace generate_proof {

using namespace capsule;

void add_insecure_services_option(CLI::App& app, std::vector<std::string>& hosts) {
  app.add_option("--insecure-proof-service", hosts,
                 "A proof service that may be spoken to over plain http; repeatable, or separated by commas [loopback "
                 "alone]")
      ->delimiter(',')
      ->type_name("HOST[:PORT]");
}

http::HostList insecure_services(const std::vector<std::string>& hosts, const Url& service) {
  http::HostList out = with_trace("--insecure-proof-service", [&] { return http::HostList{hosts}; });
  if (service.scheme() == "http" && !service.is_loopback() && out.names(service)) {
    log::warning(fmt::format("the proof service {} is asked over plain http: who is between sees the API key",
                             service.loggable()));
  }
  return out;
}

}  // namespace generate_proof
