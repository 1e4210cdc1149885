#include <fmt/format.h>

#include "core/error.hpp"
#include "fs/fd.hpp"
#include "kube/account.hpp"
#include "kube/config.hpp"
#include "kube/user.hpp"

namespace capsule::kube {

namespace {

constexpr std::size_t file_limit = std::size_t{1} << 20U;

}  // namespace

std::optional<Config> in_cluster(const Surroundings& surroundings) {
  const char* host = surroundings.environment("KUBERNETES_SERVICE_HOST");
  const char* port = surroundings.environment("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || *host == '\0' || port == nullptr || *port == '\0') return std::nullopt;
  const auto& folder = surroundings.service_account;
  Config out;
  const bool is_ipv6 = std::string_view{host}.find(':') != std::string_view::npos;
  out.server =
      Url::parse(is_ipv6 ? fmt::format("https://[{}]:{}", host, port) : fmt::format("https://{}:{}", host, port));
  out.source = "the service account of this pod";
  try {
    out.ca_certificates = fs::read_file(folder + "/ca.crt", file_limit);
    out.ns = fs::read_file(folder + "/namespace", file_limit);
    out.credentials = token_file(folder + "/token");
    out.account = account_of(out.credentials->current().token);
  } catch (const Error& error) {
    throw error.within("this pod's service account (automountServiceAccountToken has to be true)");
  }
  while (!out.ns.empty() && out.ns.back() == '\n') out.ns.pop_back();
  if (out.account.empty()) out.account = fmt::format("the service account of this pod in namespace '{}'", out.ns);
  return out;
}

}  // namespace capsule::kube
