#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json/value.hpp"
#include "proof/claims.hpp"

namespace capsule::proof {

enum class Operation : std::uint8_t {
  constant,
  variable,
  add,
  sub,
  mul,
  div,
  neg,
  abs,
  min,
  max,
  sqrt,
  square,
  pow,
  exp,
  log,
};
std::string_view name_of(Operation operation) noexcept;

/// One instruction; its result is the slot of its own index. `a` and `b` are slots of earlier instructions.
struct Instruction {
  Operation operation{};
  std::uint32_t a = 0;  ///< variable: its rank
  std::uint32_t b = 0;
  int exponent = 0;  ///< pow
  double value = 0;  ///< constant
};

/// Both sides of a claim as one straight line of instructions: no calls, no loops, each definition computed once.
struct Program {
  static constexpr std::size_t max_instructions = 4096;
  static constexpr int max_exponent = 64;

  std::vector<Instruction> code;
  std::uint32_t left = 0;   ///< slot
  std::uint32_t right = 0;  ///< slot
  /// What one evaluation costs, in additions: exp, log and pow count for more.
  [[nodiscard]] std::uint64_t cost() const noexcept;
};

/// Compiles the two sides of a compare or forall claim. `record` gives `{"record": …}` its numbers; with null they are
/// 0, which is enough to check the form. Error invalid_input with the place: unknown name or operator, wrong number of
/// operands, a definition that needs itself, too deep, too long, a free variable in a compare claim.
Program compile(const Claim& claim, const Claims& claims, const json::Value* record);

}  // namespace capsule::proof
