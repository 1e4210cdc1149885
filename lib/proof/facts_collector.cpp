#include "proof/facts_collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/fd.hpp"
#include "proof/evidence.hpp"

namespace capsule::proof {

namespace {

constexpr std::size_t max_claims_bytes = std::size_t{4} << 20U;
constexpr std::size_t max_kept_bytes = std::size_t{16} << 20U;
constexpr std::string_view claims_name = "claims.json";
constexpr std::array hook_folders{std::string_view{"proof-hooks/"}, std::string_view{"proof_hooks/"}};

bool is_hook_file(std::string_view path) {
  return std::any_of(hook_folders.begin(), hook_folders.end(),
                     [&](std::string_view folder) { return path.starts_with(folder); });
}

/// Of files that are kept at all.
std::size_t max_bytes_of(std::string_view path) {
  return is_hook_file(path) && path.substr(hook_folders.front().size()) == claims_name ? max_claims_bytes
                                                                                       : max_reference_bytes;
}

/// Whether evidence of this type is about such a claim.
bool is_proven_by(const Claim& claim, std::string_view proof_type) {
  return (claim.type == ClaimType::sim_alignment) == (proof_type == sim_alignment);
}

void check_policy(const CapsuleFacts& facts) {
  for (const auto& type : facts.policy.types) {
    if (!is_known_proof_type(type)) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("capsule.json: proof_policy: unknown proof type '{}'", printable(type, 64))};
    }
    const bool claimed = std::any_of(facts.claims.claims.begin(), facts.claims.claims.end(),
                                     [&](const Claim& claim) { return is_proven_by(claim, type); });
    if (!claimed) {
      throw Error{ErrorKind::verification_failed,
                  fmt::format("the proof policy asks for {}, but {} has no claim of that kind", type,
                              facts.claims_path.empty() ? "the capsule without claims.json" : facts.claims_path)};
    }
  }
}

using FileReader = std::function<std::string(const std::string& path, std::size_t limit)>;

CapsuleFacts facts_of(const VerifiedCapsule& capsule, const FileReader& read) {
  const auto& manifest = capsule.manifest();
  CapsuleFacts facts{.name = manifest.name,
                     .version = manifest.version,
                     .capsule_digest = capsule.capsule_digest(),
                     .policy = manifest.proof_policy,
                     .claims_path = hook_file(capsule, claims_name).value_or(""),
                     .claims = {},
                     .claims_digest = {},
                     .files = {}};
  if (!facts.claims_path.empty()) {
    const auto text = read(facts.claims_path, max_claims_bytes);
    facts.claims = parse_claims(text, facts.claims_path);
    facts.claims_digest = crypto::sha256(text);
  }
  for (const auto& claim : facts.claims.claims) {
    if (claim.type != ClaimType::sim_alignment || facts.files.contains(claim.reference)) continue;
    if (capsule.files().find(claim.reference) == nullptr) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("claim '{}': the capsule has no file {}", claim.name, claim.reference)};
    }
    facts.files.emplace(claim.reference, read(claim.reference, max_reference_bytes));
  }
  check_policy(facts);
  return facts;
}

}  // namespace

std::optional<std::string> hook_file(const VerifiedCapsule& capsule, std::string_view name) {
  std::optional<std::string> found;
  for (const auto folder : hook_folders) {
    auto path = std::string{folder} + std::string{name};
    if (capsule.files().find(path) == nullptr) continue;
    if (found) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("the capsule has both {} and {}: which one counts?", *found, path)};
    }
    found = std::move(path);
  }
  return found;
}

void FactsCollector::begin_file(const fs::SafePath& path, std::uint64_t size, bool /*executable*/) {
  m_current = nullptr;
  auto& bytes = is_hook_file(path.text()) ? m_hook_bytes : m_other_bytes;
  if (!path.text().ends_with(".json") || size > max_bytes_of(path.text()) || bytes + size > max_kept_bytes) return;
  bytes += static_cast<std::size_t>(size);
  m_current = &m_kept[path.text()];
}

void FactsCollector::file_bytes(ByteView bytes) {
  if (m_current != nullptr) m_current->append(as_text(bytes));
}

void FactsCollector::end_file() {
  m_current = nullptr;
}

CapsuleFacts FactsCollector::finish(const VerifiedCapsule& capsule) {
  return facts_of(capsule, [&](const std::string& path, std::size_t limit) {
    const auto found = m_kept.find(path);
    if (found != m_kept.end()) return found->second;
    if (capsule.files().find(path) == nullptr || !path.ends_with(".json"))
      throw Error{ErrorKind::invalid_input, fmt::format("{} is no .json file of the capsule", path)};
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} is larger than {} bytes, or the .json files before it are larger than {}: put it into "
                            "proof-hooks/",
                            path, limit, max_kept_bytes)};
  });
}

CapsuleFacts facts_in_folder(const VerifiedCapsule& capsule, const fs::Path& root) {
  return facts_of(capsule,
                  [&](const std::string& path, std::size_t limit) { return fs::read_file(root / path, limit); });
}

}  // namespace capsule::proof
