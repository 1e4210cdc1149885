#include "deploy/host_identity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/certificate.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_identity_bytes = std::size_t{256} << 10U;
constexpr std::size_t max_utid_bytes = 256;

struct Claim {
  std::string utid;
  std::vector<crypto::Certificate> chain;
};

bool is_utid(std::string_view text) {
  return text.starts_with("UTID:") && text.size() <= max_utid_bytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

struct WrittenClaim {
  std::string utid;
  std::string certificate;  ///< PEM
};

WrittenClaim read_claim(const fs::Path& file) {
  const auto name = file.string();
  const auto value = json::parse(fs::read_file(file, max_identity_bytes), name);
  const json::Cursor top{value, name};
  top.allow_only({"utid", "certificate"});
  const auto utid = top.at("utid");
  if (!is_utid(utid.string())) utid.fail("no UTID");
  return {utid.string(), top.at("certificate").string()};
}

bool has(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// Why the certificate is not this machine's, whoever signed it; empty if it is.
std::string mismatch(const Claim& claim, const HostIdentityCheck& check) {
  const auto& certificate = claim.chain.front();
  if (!certificate.is_for(host_certificate_usage))
    return fmt::format("it is not for the extended key usage {}", host_certificate_usage);
  if (certificate.common_name() != check.node_name) {
    return fmt::format("it is for '{}', and this is '{}'", printable(certificate.common_name()),
                       printable(check.node_name));
  }
  if (!has(certificate.uris(), "node-uid:" + check.node_id))
    return fmt::format("it does not name node-uid:{}", check.node_id);
  if (!has(certificate.uris(), claim.utid)) return "it does not name the UTID that stands beside it";
  for (const auto& one : claim.chain) {
    if (check.is_revoked(one.digest()) || check.is_revoked(one.key_digest())) return "it is revoked";
  }
  return {};
}

HostIdentity judge(const Claim& claim, const HostIdentityCheck& check) {
  if (auto reason = mismatch(claim, check); !reason.empty())
    return {HostIdentity::Binding::none, {}, std::move(reason)};
  if (claim.chain.front().is_self_signed())
    return {HostIdentity::Binding::soft, claim.utid, "this machine made it for itself"};
  if (check.trusted.empty())
    return {HostIdentity::Binding::none, {}, "the trust policy has no key with the role utid for this machine"};
  if (auto fault = crypto::chain_fault(claim.chain, check.trusted, check.at))
    return {HostIdentity::Binding::none, {}, std::move(*fault)};
  return {HostIdentity::Binding::certified, claim.utid, {}};
}

}  // namespace

std::string_view name_of(HostIdentity::Binding binding) noexcept {
  switch (binding) {
    case HostIdentity::Binding::none:
      return "none";
    case HostIdentity::Binding::soft:
      return "soft";
    case HostIdentity::Binding::certified:
      return "certified";
  }
  return "none";
}

HostIdentity judge_host_identity(const std::string& utid, const std::string& certificate,
                                 const HostIdentityCheck& check) {
  try {
    if (!is_utid(utid)) throw Error{ErrorKind::invalid_input, "what stands beside it is no UTID"};
    auto out = judge({utid, crypto::Certificate::chain_from_pem(certificate, "certificate")}, check);
    if (!out.reason.empty()) out.reason = "its host certificate does not bind it: " + out.reason;
    return out;
  } catch (const Error& error) {
    return {HostIdentity::Binding::none, {}, error.message()};
  }
}

HostIdentity read_host_identity(const fs::Path& file, const HostIdentityCheck& check) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return {HostIdentity::Binding::none, {}, fmt::format("there is no {}", printable(file.string(), 1024))};
  try {
    const auto claim = read_claim(file);
    return judge_host_identity(claim.utid, claim.certificate, check);
  } catch (const Error& error) {
    return {HostIdentity::Binding::none, {}, error.message()};
  }
}

}  // namespace capsule::deploy
