#include "metrics.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace proof_service {

namespace {

constexpr std::string_view proofs_path = "/v1/proofs";
constexpr std::array known_routes{
    "/v1/proofs/generate", "/v1/proofs/verify", "/v1/utid/generate", "/healthz", "/readyz", "/metrics"};

std::string head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

/// The second number of statm, in pages; nothing where there is no /proc.
std::uint64_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::string route_of(std::string_view path) {
  if (std::find(known_routes.begin(), known_routes.end(), path) != known_routes.end()) return std::string{path};
  if (!path.starts_with(proofs_path)) return "other";
  const auto rest = path.substr(proofs_path.size());
  if (rest.empty() || rest == "/") return "/v1/proofs/";
  if (rest.front() != '/') return "other";
  const auto slash = rest.find('/', 1);
  if (slash == std::string_view::npos) return "/v1/proofs/{proof_id}";
  return rest.substr(slash) == "/status" ? "/v1/proofs/{proof_id}/status" : "other";
}

void Metrics::count_answer(const std::string& route, int status, std::chrono::steady_clock::duration took) {
  const auto seconds = std::chrono::duration<double>{took}.count();
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
  const std::lock_guard lock{m_mutex};
  ++m_answers[{route, status / 100}];
  ++m_took.at(static_cast<std::size_t>(bucket));
  m_seconds += seconds;
}

/// Buckets are cumulative in this format. The lock is held.
std::string Metrics::durations() const {
  constexpr std::string_view name = "capsule_proof_service_answer_seconds";
  auto text = head(name, "histogram", "Time from a whole request to its answer.");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    count += m_took.at(i);
    text += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, bounds.at(i), count);
  }
  count += m_took.back();
  return text + fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, count, m_seconds);
}

std::string Metrics::text(const std::map<State, std::uint64_t>& proofs) const {
  constexpr std::string_view answers_name = "capsule_proof_service_answers_total";
  constexpr std::string_view proofs_name = "capsule_proof_service_proofs";
  constexpr std::string_view memory_name = "process_resident_memory_bytes";
  auto text = head(answers_name, "counter", "Requests that were answered, by route and class of HTTP status.");
  {
    const std::lock_guard lock{m_mutex};
    for (const auto& [key, count] : m_answers)
      text += fmt::format("{}{{route=\"{}\",status=\"{}xx\"}} {}\n", answers_name, key.first, key.second, count);
    text += durations();
  }
  text += head(proofs_name, "gauge", "Proofs that are kept, by state.");
  for (const auto& [state, count] : proofs)
    text += fmt::format("{}{{state=\"{}\"}} {}\n", proofs_name, name_of(state), count);
  return text + head(memory_name, "gauge", "Memory of this process.") +
         fmt::format("{} {}\n", memory_name, resident_bytes());
}

}  // namespace proof_service
