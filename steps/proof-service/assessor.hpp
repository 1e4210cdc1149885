#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "assessment.hpp"
#include "core/digest.hpp"

namespace proof_service {

/// Assesses evidence, which can take half a minute of a processor, without keeping the other callers waiting: one at a
/// time, and what was assessed lately is not assessed again. For several threads at once.
class Assessor {
 public:
  /// Nothing where another assessment has not ended within `patience`.
  std::optional<Assessment> assess(const capsule::json::Array& evidence, const std::vector<std::string>& wanted_types,
                                   std::chrono::milliseconds patience = std::chrono::seconds{1});

 private:
  static constexpr std::size_t remembered = 64;
  struct Known {
    capsule::Digest asked;
    Assessment answer;
  };
  std::timed_mutex m_mutex;
  std::deque<Known> m_known;
};

}  // namespace proof_service
