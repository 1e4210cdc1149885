#include "kube/kubeconfig.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.hpp"
#include "fs/file_or_pipe.hpp"
#include "json/cursor.hpp"
#include "kube/kubeconfig_entry.hpp"
#include "kube/user.hpp"
#include "yaml/parse.hpp"

namespace capsule::kube {

namespace {

constexpr std::size_t file_limit = std::size_t{4} << 20U;

/// clusters, users and contexts: lists of {name, <kind>: {…}}.
void merge_entries(std::map<std::string, Entry, std::less<>>& into, const json::Cursor& top, std::string_view list,
                   std::string_view kind, const std::string& file) {
  const auto entries = top.optional(list);
  if (!entries || entries->value().is_null()) return;
  for (const auto& entry : entries->elements()) {
    const auto body = entry.optional(kind);
    const bool is_empty = !body || body->value().is_null();
    if (!is_empty) static_cast<void>(body->object());
    into.try_emplace(entry.at("name").string(), Entry{is_empty ? json::Object{} : body->value(), file});
  }
}

std::string names_of(const std::map<std::string, Entry, std::less<>>& entries) {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& [name, entry] : entries) names.push_back(printable(name));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

const Entry& entry_of(const std::map<std::string, Entry, std::less<>>& entries, std::string_view kind,
                      std::string_view name, const std::string& files) {
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  throw Error{ErrorKind::usage,
              fmt::format("{}: there is no {} '{}' (there is: {})", files, kind, printable(name), names_of(entries))};
}

/// The address of a server or proxy; without a scheme it is of `scheme`, as kubectl has it.
std::string with_scheme(std::string text, std::string_view scheme) {
  return text.find("://") == std::string::npos ? fmt::format("{}://{}", scheme, text) : text;
}

Url server_of(const json::Cursor& server) {
  try {
    auto url = Url::parse(with_scheme(server.string(), "https"));
    if (url.query().empty()) return url;
  } catch (const Error& error) {
    server.fail(error.message());
  }
  server.fail("a server's URL has no query");
}

/// With the schemes that kubectl takes. Its text is in no message: it may hold a password.
Secret proxy_of(const json::Cursor& proxy) {
  const auto& text = proxy.string();
  const auto colon = text.find("://");
  const auto scheme = text.substr(0, colon);
  const auto at = text.rfind('@');
  const bool is_known = colon != std::string::npos && (scheme == "http" || scheme == "https" || scheme == "socks5");
  const auto place = text.substr(at == std::string::npos || !is_known ? std::min(text.size(), colon + 3) : at + 1);
  try {
    if (is_known && Url::parse("http://" + place).query().empty())
      return Secret{(scheme == "socks5" ? "socks5h" : scheme) + text.substr(colon)};  // the proxy resolves names, too
  } catch (const Error&) {
    proxy.fail("is no URL of a proxy: its host or its port is none");
  }
  proxy.fail("is no URL of a proxy: http://, https:// or socks5://, a host and a port");
}

void read_cluster(Config& out, const Entry& entry, const std::string& name) {
  const json::Cursor cluster{entry.value, fmt::format("{}, cluster '{}'", entry.file, printable(name)),
                             ErrorKind::usage};
  if (truth_of(cluster, "insecure-skip-tls-verify")) {
    cluster.at("insecure-skip-tls-verify")
        .fail(
            "TLS is always verified here: take insecure-skip-tls-verify away and name the cluster's CA with "
            "certificate-authority or certificate-authority-data");
  }
  out.server = server_of(cluster.at("server"));
  out.ca_certificates = pem_of(cluster, "certificate-authority", entry.file);
  out.tls_server_name = text_of(cluster, "tls-server-name");
  if (!text_of(cluster, "proxy-url").empty()) out.proxy = proxy_of(cluster.at("proxy-url"));
}

}  // namespace

void merge(Kubeconfig& into, std::string_view text, const std::string& file) {
  into.files += (into.files.empty() ? "" : ":") + file;
  const auto documents = yaml::parse_all(text, file, {.aliases = yaml::Aliases::expand});
  if (documents.empty() || documents.front().is_null()) return;
  const json::Cursor top{documents.front(), file, ErrorKind::usage};
  const auto kind = text_of(top, "kind");
  if (!kind.empty() && kind != "Config") top.at("kind").fail("is no kubeconfig, whose kind is Config");
  merge_entries(into.clusters, top, "clusters", "cluster", file);
  merge_entries(into.users, top, "users", "user", file);
  merge_entries(into.contexts, top, "contexts", "context", file);
  if (into.current_context.empty()) into.current_context = text_of(top, "current-context");
}

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::string file{list.substr(0, list.find(':'))};
    if (!file.empty() && std::find(out.begin(), out.end(), file) == out.end()) out.push_back(file);
    list.remove_prefix(std::min(list.size(), list.find(':') == std::string_view::npos ? list.size() : file.size() + 1));
  }
  return out;
}

Config choose(const Kubeconfig& from, std::string_view context) {
  const std::string chosen{context.empty() ? std::string_view{from.current_context} : context};
  if (chosen.empty()) {
    throw Error{ErrorKind::usage, fmt::format("{}: no current-context; choose a context (there is: {})", from.files,
                                              names_of(from.contexts))};
  }
  const auto& entry = entry_of(from.contexts, "context", chosen, from.files);
  const json::Cursor top{entry.value, fmt::format("{}, context '{}'", entry.file, printable(chosen)), ErrorKind::usage};
  Config out;
  out.source = from.files;
  out.ns = text_of(top, "namespace");
  if (out.ns.empty()) out.ns = "default";
  const auto cluster = top.at("cluster").string();
  const auto& cluster_entry = entry_of(from.clusters, "cluster", cluster, from.files);
  read_cluster(out, cluster_entry, cluster);
  const auto user = text_of(top, "user");
  out.account = user.empty() ? fmt::format("nobody (context '{}' names no user)", printable(chosen))
                             : fmt::format("user '{}' of context '{}'", printable(user), printable(chosen));
  if (user.empty())
    out.credentials = no_credentials();
  else
    read_user(out, entry_of(from.users, "user", user, from.files), user, cluster_entry);
  return out;
}

Surroundings Surroundings::real() {
  return {[](const char* name) -> const char* { return std::getenv(name); },  // NOLINT(concurrency-mt-unsafe)
          "/var/run/secrets/kubernetes.io/serviceaccount"};
}

Config load(const Choice& choice, const Surroundings& surroundings) {
  const auto value = [&](const char* name) -> std::string {
    const char* text = surroundings.environment(name);
    return text == nullptr ? "" : text;
  };
  Kubeconfig files;
  const auto list = value("KUBECONFIG");
  std::vector<std::string> wanted;
  if (!choice.kubeconfig.empty())
    wanted = {choice.kubeconfig};
  else if (!list.empty())
    wanted = split_list(list);
  else if (const auto home = value("HOME"); !home.empty())
    wanted = {home + "/.kube/config"};
  for (const auto& file : wanted) {
    try {
      merge(files, as_usage("", [&] { return fs::read_file_or_pipe(file, file_limit); }), file);
    } catch (const Error& error) {
      // As kubectl has it: of a list a file may be missing, one that was named by itself may not.
      if (error.kind() != ErrorKind::not_found || !choice.kubeconfig.empty()) throw;
    }
  }
  const bool has_some = !files.contexts.empty() || !files.clusters.empty();
  if (has_some) return choose(files, choice.context);
  if (!choice.context.empty()) {
    throw Error{ErrorKind::usage,
                fmt::format("there is no context '{}': {} {} none", printable(choice.context), fmt::join(wanted, ":"),
                            wanted.empty() ? "neither HOME nor KUBECONFIG name" : "has")};
  }
  if (choice.kubeconfig.empty()) {
    if (auto pod = in_cluster(surroundings)) return *std::move(pod);
  }
  throw Error{ErrorKind::usage,
              fmt::format("no cluster is known: {} {} no cluster; set KUBECONFIG to the file that "
                          "kubectl uses",
                          fmt::join(wanted, ":"), wanted.empty() ? "neither HOME nor KUBECONFIG name" : "has")};
}

}  // namespace capsule::kube
