#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "attest/trust_policy.hpp"
#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::attest {

namespace {

constexpr std::string_view make_own = "make this machine's own keys and policy: capsule-sign keygen --state DIR";

/// What keygen writes there.
fs::Path state_policy_of(const std::string& state_folder) {
  return fs::Path{state_folder} / "configmaps/capsule-trust/trust.yaml";
}

[[noreturn]] void refuse_none(std::string_view tried) {
  throw Error{
      ErrorKind::usage,
      fmt::format("no trust policy is found (looked at {}): nothing is accepted unverified; give --trust FILE or "
                  "--key PUBLIC.pem, or {}",
                  printable(tried, 4096), make_own)};
}

/// Where a policy may lie when none is named; in this order.
std::vector<fs::Path> default_policies(const std::string& state_folder) {
  std::vector<fs::Path> paths;
  const auto from_environment = [](const char* name) -> fs::Path {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
    return value == nullptr ? "" : value;
  };
  const auto configuration = from_environment("XDG_CONFIG_HOME");
  const auto home = from_environment("HOME");
  if (!configuration.empty()) {
    paths.push_back(configuration / "capsule-loop/trust.yaml");
  } else if (!home.empty()) {
    paths.push_back(home / ".config/capsule-loop/trust.yaml");
  }
  if (!state_folder.empty()) paths.push_back(state_policy_of(state_folder));
  return paths;
}

}  // namespace

TrustPolicy find_trust(const std::string& trust_option, const std::string& key_option,
                       const std::string& state_folder) {
  if (!trust_option.empty() && !key_option.empty()) {
    throw Error{ErrorKind::usage, "--trust and --key cannot both be given: choose one"};
  }
  if (!key_option.empty()) return TrustPolicy::from_key(crypto::read_public_key(key_option));
  if (!trust_option.empty()) {
    std::error_code error;
    const auto plain = [](const fs::Path& path) { return std::filesystem::absolute(path).lexically_normal(); };
    const bool own = plain(trust_option) == plain(state_policy_of(state_folder));
    if (own && !std::filesystem::exists(trust_option, error)) {
      throw Error{ErrorKind::not_found, fmt::format("{} is not there: {}", printable(trust_option, 1024), make_own)};
    }
    return TrustPolicy::from_file(trust_option);
  }
  std::string tried;
  for (const auto& path : default_policies(state_folder)) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) return TrustPolicy::from_file(path.string());
    tried += fmt::format("{}{}", tried.empty() ? "" : ", ", printable(path.string(), 1024));
  }
  refuse_none(tried);
}

}  // namespace capsule::attest
