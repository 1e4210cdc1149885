#include "attest/trust_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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

constexpr std::chrono::hours one_day{24};

/// A date stands for its end: what is good until the 30th is good on the 30th.
std::optional<Time> read_not_after(const json::Cursor& entry) {
  const auto not_after = entry.optional("not_after");
  if (!not_after) return std::nullopt;
  const auto& text = not_after->string();
  const bool is_date = text.size() == std::string_view{"2027-06-30"}.size();
  try {
    return is_date ? parse_time(text + "T00:00:00Z") + one_day - std::chrono::milliseconds{1} : parse_time(text);
  } catch (const Error&) {
    not_after->fail(fmt::format("an RFC 3339 date or date and time is wanted, this is '{}'", printable(text)));
  }
}

/// A key as a text of its own, or in the long form: exactly one of `forms`, and when it ends.
struct KeyEntry {
  std::string_view form;
  json::Cursor text;
  std::optional<Time> not_after;
};

KeyEntry read_entry(Role role, const json::Cursor& entry) {
  if (const auto* text = entry.value().if_string()) {
    const bool is_pem = role != Role::log || text->find("-----BEGIN") != std::string::npos;
    return {is_pem ? "pem" : "vkey", entry, {}};
  }
  std::vector<std::string_view> forms{"file", "pem"};
  if (role == Role::log) forms.emplace_back("vkey");
  entry.allow_only({"file", "pem", "not_after", role == Role::log ? "vkey" : "pem"});
  std::optional<KeyEntry> found;
  for (const auto form : forms) {
    const auto text = entry.optional(form);
    if (!text) continue;
    if (found) entry.fail("a key in two forms: name one of them");
    found.emplace(KeyEntry{form, *text, {}});
  }
  if (!found) entry.fail(fmt::format("a key is wanted: {}", fmt::join(forms, " or ")));
  found->not_after = read_not_after(entry);
  return *found;
}

void add_key(TrustPolicy::Rule& rule, TrustPolicy::Key key, const json::Cursor& entry) {
  const auto is_same = [&](const TrustPolicy::Key& other) { return other.key.id() == key.key.id(); };
  if (std::any_of(rule.keys.begin(), rule.keys.end(), is_same)) entry.fail("the same key twice");
  if (rule.role == Role::log && key.key.type() != crypto::KeyType::ed25519) entry.fail("a log's key is an Ed25519 key");
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

std::optional<std::chrono::milliseconds> read_max_age(const json::Cursor& rule, Role role) {
  const auto max_age = rule.optional("max_age");
  if (!max_age) return std::nullopt;
  if (role != Role::proof) max_age->fail("only a proof has one");
  try {
    const auto value = parse_duration(max_age->string());
    if (value > std::chrono::milliseconds{0}) return value;
  } catch (const Error&) {  // said below, with its place
  }
  max_age->fail(fmt::format("a duration such as 2160h is wanted, this is '{}'", printable(max_age->string())));
}

/// One rule of the file; each vkey among its keys becomes a rule of its own, for the log that it names.
void read_rule(Role role, const json::Cursor& document, const std::string& folder,
               std::vector<TrustPolicy::Rule>& rules) {
  document.allow_only({"names", "keys", "threshold", "max_age"});
  TrustPolicy::Rule rule{role, read_names(document), {}, 1, read_max_age(document, role)};
  std::size_t logs = 0;
  for (const auto& element : document.at("keys").elements()) {
    const auto entry = read_entry(role, element);
    const auto where = "the trust policy, " + element.pointer();
    if (entry.form == "vkey") {
      auto log = parse_vkey(entry.text.string(), where);
      if (document.optional("names") || document.optional("threshold")) {
        element.fail("a vkey names its log: it stands in a rule without names and threshold");
      }
      rules.push_back({role, {std::move(log.name)}, {{std::move(log.key), entry.not_after}}, 1, {}});
      ++logs;
    } else {
      auto key = as_usage(where, [&] {
        if (entry.form == "pem") return crypto::PublicKey::from_pem(entry.text.string(), "a PEM key");
        return crypto::PublicKey::from_file((fs::Path{folder} / entry.text.string()).string());
      });
      add_key(rule, {std::move(key), entry.not_after}, element);
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
  for (const auto role : all_roles) policy.m_rules.push_back({role, {}, {{key, {}}}, 1, {}});
  return policy;
}

const TrustPolicy::Rule* TrustPolicy::find_rule(Role role, std::string_view name) const noexcept {
  const auto rule = std::find_if(m_rules.begin(), m_rules.end(), [&](const Rule& candidate) {
    return candidate.role == role && fits(candidate, name);
  });
  return rule == m_rules.end() ? nullptr : &*rule;
}

const TrustPolicy::Rule& TrustPolicy::rule_for(Role role, std::string_view name) const {
  if (const auto* rule = find_rule(role, name)) return *rule;
  throw Error{ErrorKind::usage, fmt::format("the trust policy has no key of role '{}' for '{}': nothing is accepted "
                                            "unverified; add one to it",
                                            name_of(role), printable(name))};
}

Signers TrustPolicy::signers(Role role, std::string_view name) const {
  const auto& rule = rule_for(role, name);
  const auto at = m_clock();
  Signers out{{}, rule.threshold, {}};
  for (const auto& [key, not_after] : rule.keys) {
    if (is_revoked(digest_of(key))) {
      out.withdrawn.push_back(fmt::format("{} is revoked", key.id()));
    } else if (not_after && at > *not_after + clock_tolerance) {
      out.withdrawn.push_back(fmt::format("{} expired at {}", key.id(), format_time(*not_after)));
    } else {
      out.keys.push_back(key);
    }
  }
  return out;
}

std::vector<crypto::PublicKey> TrustPolicy::keys(Role role, std::string_view name) const {
  auto signers = this->signers(role, name);
  if (!signers.keys.empty()) return std::move(signers.keys);
  throw Error{ErrorKind::verification_failed,
              fmt::format("no key of role '{}' for '{}' in the trust policy counts any more: {}", name_of(role),
                          printable(name), fmt::join(signers.withdrawn, "; "))};
}

std::optional<std::chrono::milliseconds> TrustPolicy::max_proof_age(std::string_view name) const {
  const auto* rule = find_rule(Role::proof, name);
  return rule == nullptr ? std::nullopt : rule->max_age;
}

void TrustPolicy::check_proof_age(std::string_view what, std::string_view name, Time time) const {
  const auto max_age = max_proof_age(name);
  if (!max_age || m_clock() <= time + *max_age + clock_tolerance) return;
  throw Error{
      ErrorKind::verification_failed,
      fmt::format("{} has expired: it is about a run that ended at {}, and the trust policy's max_age is {}; run "
                  "the capsule again and prove that",
                  what, format_time(time), human_duration(*max_age))};
}

bool TrustPolicy::is_revoked(const Digest& digest) const noexcept {
  return std::find(m_revoked.begin(), m_revoked.end(), digest) != m_revoked.end();
}

void TrustPolicy::check_revoked(const Digest& digest) const {
  if (!is_revoked(digest)) return;
  throw Error{ErrorKind::verification_failed, fmt::format("{} is revoked by the trust policy", digest.text())};
}

}  // namespace capsule::attest
