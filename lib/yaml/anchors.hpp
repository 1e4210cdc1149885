#pragma once

#include <cstddef>
#include <map>

#include "json/value.hpp"

namespace capsule::yaml {

/// What the anchors of one document stand for. What they and their aliases hold together is bounded: a few lines of
/// aliases to lists of aliases would be gigabytes.
class Anchors {
 public:
  struct Anchored {
    json::Value value;
    std::size_t weight = 0;  ///< bytes of text, and 64 for each value
    std::size_t depth = 0;   ///< levels of lists and maps
  };

  /// Keeps the value of that anchor. False: there is no room for it.
  [[nodiscard]] bool keep(std::size_t anchor, const json::Value& value);
  /// Null where it is not known, or not whole yet.
  [[nodiscard]] const Anchored* find(std::size_t anchor) const;
  /// Counts one alias to it. False: there is no room for it.
  [[nodiscard]] bool use(const Anchored& anchored);

 private:
  std::map<std::size_t, Anchored> m_anchored;
  std::size_t m_weight = 0;
};

}  // namespace capsule::yaml
