#include "attest/quorum.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule::attest {

namespace {

bool holds(const std::vector<crypto::PublicKey>& keys, const crypto::PublicKey& key) {
  return std::any_of(keys.begin(), keys.end(), [&](const auto& other) { return other.id() == key.id(); });
}

std::string list_of(const std::vector<std::string>& ids) {
  constexpr std::size_t most = 8;  // an error is one line
  const auto shown = std::min(ids.size(), most);
  auto text = fmt::format("{}", fmt::join(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < ids.size()) text += fmt::format(" and {} more", ids.size() - shown);
  return text;
}

}  // namespace

void Quorum::count(const crypto::PublicKey& key) {
  if (holds(m_signers.keys, key) && !holds(m_signed_by, key)) m_signed_by.push_back(key);
}

void Quorum::require(std::string_view what) const {
  if (is_met()) return;
  std::vector<std::string> there;
  std::vector<std::string> missing;
  for (const auto& key : m_signers.keys) (holds(m_signed_by, key) ? there : missing).push_back(key.id());
  auto text =
      fmt::format("{} of the {} signatures hold that the trust policy wants over {}", there.size(), wanted(), what);
  if (!there.empty()) text += fmt::format("; signed by {}", list_of(there));
  if (!missing.empty()) text += fmt::format("; missing: {} of {}", wanted() - there.size(), list_of(missing));
  if (!m_signers.withdrawn.empty()) text += fmt::format("; no longer counts: {}", list_of(m_signers.withdrawn));
  if (m_signers.keys.size() < wanted()) text += "; the policy has too few keys left for its threshold";
  if (!m_reason.empty()) text += fmt::format("; {}", m_reason);
  throw Error{ErrorKind::verification_failed, std::move(text)};
}

}  // namespace capsule::attest
