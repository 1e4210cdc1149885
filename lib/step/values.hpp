#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>

namespace capsule::step {

// Validators of an option's value, whether it is used or not. CLI11 alone reads 010 as octal, 0x10 and 0x1p3.

/// Decimal digits without a leading zero, `lowest` to `highest`.
CLI::Validator whole_number(std::uint64_t lowest, std::uint64_t highest);

/// Decimal digits without a leading zero, and at most one point with digits behind it; `lowest` to `highest`.
CLI::Validator decimal_number(double lowest, double highest);

/// A duration as parse_duration() reads it, 1 ms to 8,760 h (365 days).
CLI::Validator duration();

}  // namespace capsule::step
