#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "store.hpp"

namespace proof_service {

/// What Prometheus is told (text format 0.0.4): requests by route and class of their answer, how long they took, proofs
/// by their state, memory. For several threads at once.
class Metrics {
 public:
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";
  /// Upper bounds of the buckets, in seconds; a check of evidence can take half a minute.
  static constexpr std::array bounds{0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 30.0};

  /// `route` must be one of a few: no part of a path that a caller chooses.
  void count_answer(const std::string& route, int status, std::chrono::steady_clock::duration took);
  [[nodiscard]] std::string text(const std::map<State, std::uint64_t>& proofs) const;

 private:
  [[nodiscard]] std::string durations() const;

  mutable std::mutex m_mutex;
  std::map<std::pair<std::string, int>, std::uint64_t> m_answers;  ///< by route and hundreds of the status
  std::array<std::uint64_t, bounds.size() + 1> m_took{};           ///< the last one: longer than all bounds
  double m_seconds = 0;
};

/// The route that a path belongs to, with what callers choose in braces; "other" for what is none.
std::string route_of(std::string_view path);

}  // namespace proof_service
