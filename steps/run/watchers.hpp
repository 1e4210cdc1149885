#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "workflow/runner.hpp"

namespace run_step {

/// The one that fits this process: a picture of the graph on a terminal, else one line per state change.
std::unique_ptr<capsule::workflow::Watcher> make_watcher();

/// What the picture shows, pure, for tests: the graph as lines of text, one node a line, at most `size.height` lines.
/// Of more nodes those that run come first, then those that failed; a last line counts the others.
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
struct Size {
  std::size_t width = 80;
  std::size_t height = 24;
};
std::string picture_of(const std::vector<NodeLine>& nodes, Size size, Colour colour);

}  // namespace run_step
