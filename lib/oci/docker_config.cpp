#include "oci/docker_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t file_limit = std::size_t{4} << 20U;
/// Docker Hub: what users write, what the API's host is, and under which key its credentials are kept.
constexpr std::array<std::string_view, 3> hub_hosts{"docker.io", "index.docker.io", "registry-1.docker.io"};
constexpr std::string_view hub_key = "https://index.docker.io/v1/";

bool is_hub(std::string_view host) noexcept {
  return std::find(hub_hosts.begin(), hub_hosts.end(), host) != hub_hosts.end();
}

/// One spelling of a host with or without a path: "HOST[:PORT][/PATH]".
std::string canonical(std::string_view key) {
  const auto scheme = key.find("://");
  if (scheme != std::string_view::npos) key.remove_prefix(scheme + 3);
  if (key.ends_with('/')) key.remove_suffix(1);
  auto host = std::string{key.substr(0, key.find('/'))};
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  auto path = key.substr(host.size());
  if (path == "/v1" || path == "/v2") path = {};
  if (host.ends_with(":443")) host.resize(host.size() - 4);
  if (is_hub(host)) host = hub_hosts.front();
  return host.append(path);
}

/// Whether an entry under `key` (canonical) is for `place` (HOST/PATH, canonical).
bool is_for(std::string_view key, std::string_view place) noexcept {
  return place.starts_with(key) && (place.size() == key.size() || place[key.size()] == '/');
}

std::optional<std::string> text_of(const json::Cursor& entry, std::string_view member) {
  const auto found = entry.optional(member);
  if (!found || found->string().empty()) return std::nullopt;
  return found->string();
}

/// {"auth": base64 of user:password}, {"username", "password"}, with "identitytoken" or "registrytoken". Nothing where
/// there is no secret: Docker leaves {} for what is in a helper.
std::optional<RegistryCredentials> read_entry(const json::Cursor& entry, const std::string& source) {
  RegistryCredentials out;
  out.source = source;
  out.username = text_of(entry, "username").value_or("");
  out.password = Secret{text_of(entry, "password").value_or("")};
  if (const auto encoded = text_of(entry, "auth")) {
    Bytes decoded;
    try {
      decoded = from_base64(*encoded);
    } catch (const Error&) {
      entry.at("auth").fail("is no base64");  // the reason could quote it
    }
    const auto text = as_text(decoded);
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) entry.at("auth").fail("is not the base64 of user:password");
    out.username = text.substr(0, colon);
    out.password = Secret{std::string{text.substr(colon + 1)}};
  }
  if (auto token = text_of(entry, "registrytoken")) {
    out.registry_token = Secret{*std::move(token)};
    out.password = {};
  } else if (auto refresh = text_of(entry, "identitytoken")) {
    out.identity_token = Secret{*std::move(refresh)};
    out.password = {};
  }
  if (out.password.empty() && out.identity_token.empty() && out.registry_token.empty()) return std::nullopt;
  return out;
}

/// The best of the members of `table` (credHelpers, auths) for which `read` gives something.
template <typename Read>
auto best_entry(const json::Cursor& top, std::string_view table, std::string_view place, Read&& read)
    -> decltype(read(top)) {
  const auto found = top.optional(table);
  if (!found) return {};
  auto entries = found->members();
  std::erase_if(entries, [&](const auto& entry) { return !is_for(canonical(entry.first), place); });
  std::stable_sort(entries.begin(), entries.end(), [](const auto& left, const auto& right) {
    return canonical(left.first).size() > canonical(right.first).size();
  });
  for (const auto& [key, entry] : entries) {
    if (auto out = read(entry)) return out;
  }
  return {};
}

std::optional<RegistryCredentials> find_in(const json::Cursor& top, std::string_view host, std::string_view repository,
                                           const std::string& source, const AskHelper& ask_helper) {
  const auto place = canonical(repository.empty() ? std::string{host} : fmt::format("{}/{}", host, repository));
  auto helper =
      best_entry(top, "credHelpers", place, [](const json::Cursor& name) { return std::optional{name.string()}; });
  if (!helper) helper = text_of(top, "credsStore");
  if (helper) {
    if (auto out = ask_helper(*helper, is_hub(host) ? hub_key : host)) return out;
  }
  return best_entry(top, "auths", place, [&](const json::Cursor& entry) { return read_entry(entry, source); });
}

/// The text of a file; nothing where it is not there.
std::optional<std::string> read(const CredentialsFile& file) {
  try {
    return fs::read_file(file.path, file_limit);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return std::nullopt;
    if (file.named || error.kind() != ErrorKind::denied) throw;
    log::warning(fmt::format("{}: it is passed over", error.message()));
    return std::nullopt;
  }
}

}  // namespace

std::vector<CredentialsFile> credentials_files(const http::Environment& environment) {
  const auto value = [&](const char* name) -> std::string {
    const char* text = environment(name);
    return text == nullptr ? "" : text;
  };
  std::vector<CredentialsFile> out;
  const auto add = [&](const std::string& folder, std::string_view rest, bool named) {
    if (!folder.empty()) out.push_back({folder + std::string{rest}, named});
  };
  add(value("REGISTRY_AUTH_FILE"), "", true);
  add(value("DOCKER_CONFIG"), "/config.json", true);
  if (!out.empty()) return out;
  const auto home = value("HOME");
  const auto config = value("XDG_CONFIG_HOME");
  add(value("XDG_RUNTIME_DIR"), "/containers/auth.json", false);
  add(config.empty() && !home.empty() ? home + "/.config" : config, "/containers/auth.json", false);
  add(home, "/.docker/config.json", false);
  return out;
}

DockerConfig::DockerConfig(std::vector<CredentialsFile> files, AskHelper ask_helper)
    : m_files(std::move(files)), m_ask_helper(std::move(ask_helper)) {}

std::optional<RegistryCredentials> DockerConfig::find(std::string_view host, std::string_view repository) {
  for (const auto& file : m_files) {
    const auto text = read(file);
    if (!text) continue;
    auto found = as_usage("", [&] {
      const auto value = json::parse(*text, file.path.string());
      return find_in({value, file.path.string()}, host, repository, file.path.string(), m_ask_helper);
    });
    if (found) return found;
  }
  return std::nullopt;
}

std::string DockerConfig::places() const {
  std::vector<std::string> out;
  for (const auto& file : m_files) out.push_back(file.path.string());
  return out.empty() ? "no file: HOME is not set" : fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace capsule::oci
