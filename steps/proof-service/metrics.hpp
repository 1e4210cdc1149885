#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "store.hpp"

namespace proof_service {

/// What Prometheus is told (text format 0.0.4): requests by their answer, proofs by their state. For several threads
/// at once.
class Metrics {
 public:
  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

  void count_answer(int status);
  [[nodiscard]] std::string text(const std::map<State, std::uint64_t>& proofs) const;

 private:
  mutable std::mutex m_mutex;
  std::map<int, std::uint64_t> m_answers;
};

}  // namespace proof_service
