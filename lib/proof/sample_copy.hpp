#pragma once

#include <span>

namespace capsule::proof {

/// Whether a run shows the reference's samples as its own: all of them, in any order; or more of them than two
/// independent simulations share by chance.
///
/// Counted are the different values of the smaller side that stand on the other. They are too many if they are more
/// than half of the smaller side, and more than rounding makes likely: numbers on a grid meet by chance, the more the
/// coarser they were rounded. On a grid of step h, a value that falls among 17 neighbours of the other side meets one
/// of them with the chance 17 h / (their range + h). The sum of these chances is the number expected, m; more than m +
/// 3 √m + 3 are no chance (fewer than one in a thousand pairs of honest runs, on no grid more than one in a hundred). A
/// reference in which over a tenth of the values stand there before is that coarse in any case: then only all of them
/// are a copy.
bool is_copy(std::span<const double> run, std::span<const double> reference);

}  // namespace capsule::proof
