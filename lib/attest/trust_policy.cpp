#include "attest/trust_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "attest/vkey.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/fd.hpp"
#include "json/cursor.hpp"
#include "yaml/parse.hpp"

namespace capsule::attest {

namespace {

constexpr std::array all_roles{Role::capsule, Role::proof, Role::index, Role::log, Role::utid};
constexpr std::size_t max_policy_bytes = std::size_t{1} << 20U;
constexpr std::size_t max_rules = 1000;

/// '*' stands for any text, also for none. Linear in the text for each star: one place to return to is enough.
bool matches(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool fits(const TrustPolicy::Rule& rule, std::string_view name) {
  return rule.names.empty() ||
         std::any_of(rule.names.begin(), rule.names.end(), [&](const auto& pattern) { return matches(pattern, name); });
}

Digest digest_of(const crypto::PublicKey& key) {
  return crypto::sha256(key.spki());
}

/// Packages, capsules and keys are all named by their SHA-256: another digest would revoke nothing.
Digest read_digest(const json::Cursor& entry) {
  const auto& text = entry.string();
  if (!text.starts_with("sha256:")) entry.fail(fmt::format("sha256:<64 hex> is wanted, this is '{}'", printable(text)));
  try {
    return Digest::parse(text);
  } catch (const Error& error) {
    entry.fail(error.message());
  }
}

crypto::PublicKey read_pem(const json::Cursor& entry, const std::string& folder) {
  return as_usage(fmt::format("the trust policy, {}", entry.pointer()), [&] {
    if (entry.value().is_string()) return crypto::PublicKey::from_pem(entry.string(), "a PEM key");
    entry.allow_only({"file"});
    return crypto::PublicKey::from_file((fs::Path{folder} / entry.at("file").string()).string());
  });
}

bool is_vkey(const json::Cursor& entry) {
  const auto* text = entry.value().if_string();
  return text != nullptr && text->find("-----BEGIN") == std::string::npos;
}

void add_key(TrustPolicy::Rule& rule, crypto::PublicKey key, const json::Cursor& entry) {
  if (std::any_of(rule.keys.begin(), rule.keys.end(), [&](const auto& other) { return other.id() == key.id(); })) {
    entry.fail("the same key twice");
  }
  if (rule.role == Role::log && key.type() != crypto::KeyType::ed25519) entry.fail("a log's key is an Ed25519 key");
  rule.keys.push_back(std::move(key));
}

std::vector<std::string> read_names(const json::Cursor& rule) {
  const auto names = rule.optional("names");
  if (!names) return {};
  std::vector<std::string> out;
  for (const auto& name : names->elements()) {
    if (name.string().empty()) name.fail("a pattern is empty");
    out.push_back(name.string());
  }
  if (out.empty()) names->fail("without a pattern the rule fits nothing; leave 'names' away to fit every name");
  return out;
}

unsigned read_threshold(const json::Cursor& rule, Role role, std::size_t keys) {
  const auto threshold = rule.optional("threshold");
  if (!threshold) return 1;
  const auto value = threshold->uint64();
  if (value == 0 || value > keys) threshold->fail(fmt::format("1 to {} (the number of keys) is wanted", keys));
  // A threshold that nobody checks would be a promise that is not kept.
  if (value > 1 && role != Role::capsule && role != Role::proof) {
    threshold->fail(fmt::format("what is of role '{}' has one signature: 1 is wanted", name_of(role)));
  }
  return static_cast<unsigned>(value);
}

/// One rule of the file; each vkey among its keys becomes a rule of its own, for the log that it names.
void read_rule(Role role, const json::Cursor& document, const std::string& folder,
               std::vector<TrustPolicy::Rule>& rules) {
  document.allow_only({"names", "keys", "threshold"});
  TrustPolicy::Rule rule{role, read_names(document), {}, 1};
  std::size_t logs = 0;
  for (const auto& entry : document.at("keys").elements()) {
    if (role == Role::log && is_vkey(entry)) {
      auto log = parse_vkey(entry.string(), "the trust policy, " + entry.pointer());
      if (document.optional("names") || document.optional("threshold")) {
        entry.fail("a vkey names its log: it stands in a rule without names and threshold");
      }
      rules.push_back({role, {std::move(log.name)}, {std::move(log.key)}, 1});
      ++logs;
    } else {
      add_key(rule, read_pem(entry, folder), entry);
    }
  }
  if (logs == 0 && rule.keys.empty()) document.at("keys").fail("a key is wanted");
  rule.threshold = read_threshold(document, role, rule.keys.size());
  if (!rule.keys.empty()) rules.push_back(std::move(rule));
}

}  // namespace

std::string_view name_of(Role role) noexcept {
  switch (role) {
    case Role::capsule:
      return "capsule";
    case Role::proof:
      return "proof";
    case Role::index:
      return "index";
    case Role::log:
      return "log";
    case Role::utid:
      return "utid";
  }
  return "?";
}

TrustPolicy TrustPolicy::parse(std::string_view text, std::string_view what, const std::string& folder) {
  const auto value = yaml::parse(text, what, {.bytes = max_policy_bytes, .depth = 16});
  const json::Cursor top{value, std::string{what}, ErrorKind::usage};
  top.allow_only({"version", "capsule", "proof", "index", "log", "utid", "revoked"});
  if (top.at("version").uint64() != 1) top.at("version").fail("version 1 is wanted");
  TrustPolicy policy;
  for (const auto role : all_roles) {
    const auto rules = top.optional(name_of(role));
    if (!rules) continue;
    for (const auto& rule : rules->elements()) read_rule(role, rule, folder, policy.m_rules);
    if (policy.m_rules.size() > max_rules) rules->fail(fmt::format("more than {} rules", max_rules));
  }
  if (const auto revoked = top.optional("revoked")) {
    for (const auto& entry : revoked->elements()) {
      policy.m_revoked.push_back(read_digest(entry));
    }
  }
  return policy;
}

TrustPolicy TrustPolicy::from_file(const std::string& path) {
  const auto folder = fs::Path{path}.parent_path();
  const auto text = as_usage("the trust policy", [&] { return fs::read_file(path, max_policy_bytes); });
  return parse(text, path, folder.empty() ? "." : folder.string());
}

TrustPolicy TrustPolicy::from_key(crypto::PublicKey key) {
  TrustPolicy policy;
  for (const auto role : all_roles) policy.m_rules.push_back({role, {}, {key}, 1});
  return policy;
}

const TrustPolicy::Rule& TrustPolicy::rule_for(Role role, std::string_view name) const {
  const auto rule = std::find_if(m_rules.begin(), m_rules.end(), [&](const Rule& candidate) {
    return candidate.role == role && fits(candidate, name);
  });
  if (rule != m_rules.end()) return *rule;
  throw Error{ErrorKind::usage, fmt::format("the trust policy has no key of role '{}' for '{}': nothing is accepted "
                                            "unverified; add one, or give --key",
                                            name_of(role), printable(name))};
}

std::vector<crypto::PublicKey> TrustPolicy::keys(Role role, std::string_view name) const {
  auto keys = rule_for(role, name).keys;
  std::erase_if(keys, [&](const auto& key) {
    return std::find(m_revoked.begin(), m_revoked.end(), digest_of(key)) != m_revoked.end();
  });
  if (keys.empty()) {
    throw Error{ErrorKind::usage, fmt::format("every key of role '{}' for '{}' in the trust policy is revoked",
                                              name_of(role), printable(name))};
  }
  return keys;
}

unsigned TrustPolicy::threshold(Role role, std::string_view name) const {
  return rule_for(role, name).threshold;
}

void TrustPolicy::check_revoked(const Digest& digest) const {
  if (std::find(m_revoked.begin(), m_revoked.end(), digest) == m_revoked.end()) return;
  throw Error{ErrorKind::verification_failed, fmt::format("{} is revoked by the trust policy", digest.text())};
}

namespace {

constexpr std::string_view state_policy = "configmaps/capsule-trust/trust.yaml";

[[noreturn]] void refuse_none(std::string_view tried) {
  throw Error{
      ErrorKind::usage,
      fmt::format("no trust policy is found (looked at {}): nothing is accepted unverified; give --trust FILE or "
                  "--key PUBLIC.pem, or make this machine's own keys and policy: capsule-sign keygen --state DIR",
                  printable(tried, 4096))};
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
  if (!state_folder.empty()) paths.push_back(fs::Path{state_folder} / state_policy);
  return paths;
}

}  // namespace

TrustPolicy find_trust(const std::string& trust_option, const std::string& key_option,
                       const std::string& state_folder) {
  if (!trust_option.empty() && !key_option.empty()) {
    throw Error{ErrorKind::usage, "--trust and --key cannot both be given: choose one"};
  }
  if (!key_option.empty()) return TrustPolicy::from_key(crypto::PublicKey::from_file(key_option));
  if (!trust_option.empty()) {
    // The workflows name this file always, whether there are keys or not.
    std::error_code error;
    if (trust_option.ends_with(state_policy) && !std::filesystem::exists(trust_option, error))
      refuse_none(trust_option);
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
