#pragma once

#include <cstdint>
#include <memory>

#include "json/cursor.hpp"
#include "proof/evidence.hpp"

namespace capsule::proof {

inline constexpr std::size_t min_samples = 2;
inline constexpr std::size_t max_samples = 10'000;  ///< a side
inline constexpr std::size_t bootstrap_draws = 2'000;
/// How far a number of the evidence may be from ours (absolute below 1, relative above).
inline constexpr double alignment_tolerance = 1e-9;

/// Steps of comparing and of resampling, for all sim_alignment claims of one capsule together: some seconds.
inline constexpr std::uint64_t max_alignment_cost = 4'000'000'000;

/// The sim_alignment claims of one capsule and run. What several of them share is computed once. Error invalid_input
/// where they cost more than max_alignment_cost.
class Alignments {
 public:
  explicit Alignments(const Facts& facts);
  Alignments(const Alignments&) = delete;
  Alignments& operator=(const Alignments&) = delete;
  ~Alignments();

  /// Checks one piece: the samples are those of the run record, the reference is the capsule's, every statistic is
  /// computed again from them. Error verification_failed for a piece about something else.
  ClaimResult check(const json::Cursor& piece);
  /// What the run's samples are by themselves, without evidence: within the claim's thresholds or not.
  ClaimResult decide(const Claim& claim);

 private:
  struct Sides;
  struct Pair;
  struct Memory;
  void charge(std::uint64_t cost);
  Sides sides_of(const Claim& claim);
  Pair& pair_of(const Sides& sides);

  const Facts& m_facts;
  std::unique_ptr<Memory> m_memory;
};

/// The form alone: members and types.
ClaimResult check_alignment_form(const json::Cursor& piece);

}  // namespace capsule::proof
