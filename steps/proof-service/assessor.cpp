#include "assessor.hpp"

#include <algorithm>

#include "crypto/hash.hpp"
#include "json/write.hpp"

namespace proof_service {

using namespace capsule;

namespace {

Digest name_of(const json::Array& evidence, const std::vector<std::string>& wanted_types) {
  json::Array types;
  for (const auto& type : wanted_types) types.emplace_back(type);
  return crypto::sha256(json::compact(json::Array{evidence, std::move(types)}));
}

}  // namespace

std::optional<Assessment> Assessor::assess(const json::Array& evidence, const std::vector<std::string>& wanted_types,
                                           std::chrono::milliseconds patience) {
  const auto name = name_of(evidence, wanted_types);
  const std::unique_lock lock{m_mutex, patience};
  if (!lock.owns_lock()) return std::nullopt;
  const auto known = std::find_if(m_known.begin(), m_known.end(), [&](const Known& one) { return one.asked == name; });
  if (known != m_known.end()) return known->answer;
  auto answer = proof_service::assess(evidence, wanted_types);
  m_known.push_front({name, answer});
  if (m_known.size() > remembered) m_known.pop_back();
  return answer;
}

}  // namespace proof_service
