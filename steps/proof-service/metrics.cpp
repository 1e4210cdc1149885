#include "metrics.hpp"

#include <fmt/format.h>

namespace proof_service {

namespace {

std::string head(const char* name, const char* type, const char* help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

}  // namespace

void Metrics::count_answer(int status) {
  const std::lock_guard lock{m_mutex};
  ++m_answers[status];
}

std::string Metrics::text(const std::map<State, std::uint64_t>& proofs) const {
  constexpr const char* answers_name = "capsule_proof_service_answers_total";
  constexpr const char* proofs_name = "capsule_proof_service_proofs";
  auto text = head(answers_name, "counter", "Requests that were answered, by HTTP status.");
  {
    const std::lock_guard lock{m_mutex};
    for (const auto& [status, count] : m_answers)
      text += fmt::format("{}{{status=\"{}\"}} {}\n", answers_name, status, count);
  }
  text += head(proofs_name, "gauge", "Proofs that are kept, by state.");
  for (const auto& [state, count] : proofs)
    text += fmt::format("{}{{state=\"{}\"}} {}\n", proofs_name, name_of(state), count);
  return text;
}

}  // namespace proof_service
