#pragma once

#include <cstddef>

#include "workflow/library.hpp"

namespace capsule::workflow {

/// Limits of one run on one machine.
inline constexpr std::size_t max_nodes = 10'000;                       ///< steps and tasks, each item for itself
inline constexpr std::size_t max_items = 1'000;                        ///< of one withItems or withParam
inline constexpr std::size_t max_depth = 16;                           ///< of templates that call each other
inline constexpr std::size_t max_value_bytes = std::size_t{4} << 20U;  ///< of one value, and of one call's arguments
inline constexpr std::size_t max_held_bytes = std::size_t{64} << 20U;  ///< of all outputs together

/// Error usage, naming template and limit, where a run that goes well would surely have more nodes, items or levels
/// than it may. What hangs on `when`, on an output or on how another task ended is found out only as it runs.
void check_size(const Library& library, const Library::Resolved& entrypoint);

}  // namespace capsule::workflow
