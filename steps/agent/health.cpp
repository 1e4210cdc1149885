#include "health.hpp"

#include "core/error.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr auto health_lasts = 30s;
constexpr auto illness_lasts = 2s;
/// A kubelet gives a probe one second by default.
constexpr auto patience = 700ms;

}  // namespace

Health::Health(const deploy::Workload& workload, std::chrono::milliseconds time_limit)
    : m_workload(workload), m_time_limit(time_limit), m_illness("healthcheck.sh has not answered yet") {}

Health::~Health() {
  if (m_thread.joinable()) m_thread.join();
}

std::string Health::illness() {
  std::unique_lock lock{m_mutex};
  const auto lasts = m_illness.empty() ? health_lasts : illness_lasts;
  if (!m_checking && (!m_answered || std::chrono::steady_clock::now() - *m_answered > lasts)) {
    if (m_thread.joinable()) m_thread.join();  // it has said its last word
    m_thread = std::thread{[this] { check(); }};
    m_checking = true;
  }
  m_changed.wait_for(lock, patience, [this] { return !m_checking; });
  return m_illness;
}

std::string Health::last_illness() {
  const std::lock_guard lock{m_mutex};
  return m_illness;
}

void Health::check() {
  std::string illness;
  try {
    deploy::check_health(m_workload, m_time_limit);
  } catch (const std::exception& error) {
    illness = error.what();
  }
  {
    const std::lock_guard lock{m_mutex};
    m_illness = std::move(illness);
    m_answered = std::chrono::steady_clock::now();
    m_checking = false;
  }
  m_changed.notify_all();
}

}  // namespace agent
