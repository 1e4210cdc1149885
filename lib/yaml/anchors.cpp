#include "yaml/anchors.hpp"

#include <algorithm>

namespace capsule::yaml {

namespace {

constexpr std::size_t max_weight = std::size_t{1} << 20U;
constexpr std::size_t weight_of_value = 64;

/// Adds up weight and depth. The document's own limit of depth bounds the recursion.
// NOLINTNEXTLINE(misc-no-recursion)
void weigh(const json::Value& value, std::size_t level, Anchors::Anchored& sum) {
  sum.weight += weight_of_value;
  if (const auto* text = value.if_string()) sum.weight += text->size();
  if (!value.is_array() && !value.is_object()) return;
  sum.depth = std::max(sum.depth, level + 1);
  if (const auto* array = value.if_array()) {
    for (const auto& element : *array) weigh(element, level + 1, sum);
    return;
  }
  for (const auto& [name, member] : *value.if_object()) {
    sum.weight += name.size();
    weigh(member, level + 1, sum);
  }
}

}  // namespace

bool Anchors::keep(std::size_t anchor, const json::Value& value) {
  Anchored anchored;
  weigh(value, 0, anchored);
  if (!use(anchored)) return false;
  anchored.value = value;
  m_anchored.insert_or_assign(anchor, std::move(anchored));
  return true;
}

const Anchors::Anchored* Anchors::find(std::size_t anchor) const {
  const auto found = m_anchored.find(anchor);
  return found == m_anchored.end() ? nullptr : &found->second;
}

bool Anchors::use(const Anchored& anchored) {
  if (anchored.weight > max_weight - m_weight) return false;
  m_weight += anchored.weight;
  return true;
}

}  // namespace capsule::yaml
