#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "proof/checker.hpp"

namespace capsule::test {

/// A certificate of left ≤ right on the box, found by halving the side that is widest relative to the whole box; an
/// empty text where it would take more than `max_nodes`.
inline std::string prove(const proof::Program& program, std::span<const proof::Variable> variables,
                         std::size_t max_nodes = 1'000'000) {
  proof::Evaluator values{program};
  std::string tree;
  std::vector<std::vector<proof::Interval>> open(1);
  for (const auto& variable : variables) open.back().push_back({variable.min, variable.max});
  while (!open.empty() && tree.size() < max_nodes) {
    auto box = std::move(open.back());
    open.pop_back();
    if (values.evaluate(box) && values.left().high <= values.right().low) {
      tree += '.';
      continue;
    }
    std::size_t widest = 0;
    double width = -1;
    for (std::size_t i = 0; i < box.size(); ++i) {
      const double whole = variables[i].max - variables[i].min;
      const double part = whole > 0 ? (box[i].high - box[i].low) / whole : 0;
      if (part > width) {
        width = part;
        widest = i;
      }
    }
    tree += static_cast<char>('a' + static_cast<int>(widest));
    auto upper = box;
    upper[widest].low = box[widest].low * 0.5 + box[widest].high * 0.5;
    box[widest].high = upper[widest].low;
    open.push_back(std::move(upper));
    open.push_back(std::move(box));
  }
  return open.empty() ? tree : std::string{};
}

}  // namespace capsule::test
