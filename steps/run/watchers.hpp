#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "workflow/runner.hpp"

namespace run_step {

/// The one that fits this process: a picture of the graph on a terminal, else one line per state change.
std::unique_ptr<capsule::workflow::Watcher> make_watcher();

/// The graph as lines of text, one node a line: what the picture shows. Pure, for tests.
struct NodeLine {
  std::string node;
  std::string name;
  std::size_t depth = 0;
  capsule::workflow::Phase phase{};
  std::string message;
  unsigned attempt = 1;
  std::chrono::milliseconds duration{};
};
enum class Colour { no, yes };
std::string picture_of(const std::vector<NodeLine>& nodes, std::size_t width, Colour colour);

}  // namespace run_step
