#pragma once

#include <cstddef>
#include <vector>

#include "workflow/model.hpp"

namespace capsule::workflow {

/// Who waits for whom among the tasks of a DAG, by their places in its list.
struct DependencyGraph {
  /// Every name in a `depends` must be a task's.
  explicit DependencyGraph(const std::vector<Task>& tasks);

  std::vector<std::vector<std::size_t>> needs;       ///< whom a task waits for, each once
  std::vector<std::vector<std::size_t>> dependents;  ///< who waits for it
  std::vector<std::size_t> order;  ///< each behind all that it needs; tasks on or behind a circle are missing
};

}  // namespace capsule::workflow
