#include "json/new_keys.hpp"

namespace capsule::json {

namespace {

constexpr std::size_t small = 32;

}  // namespace

bool NewKeys::is_new(const Object& object, std::string_view key) {
  if (object.size() < small) return object.find(key) == nullptr;
  if (m_seen.empty()) {
    for (const auto& member : object) m_seen.insert(member.first);
  }
  return m_seen.emplace(key).second;
}

}  // namespace capsule::json
