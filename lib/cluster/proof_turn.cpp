#include "cluster/proof_turn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/proof_pod.hpp"
#include "cluster/turn.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

/// A little more than a lease lasts.
constexpr std::chrono::seconds until_run_out{35};

Error busy(const kube::Name& lease, const kube::LeaseRecord& by) {
  return {ErrorKind::busy, fmt::format("another proof of this run is at work: {} is held by {}", kube::text_of(lease),
                                       by.holder.empty() ? "one after the other" : printable(by.holder))};
}

}  // namespace

ProofTurn::ProofTurn(kube::Client& client, const std::string& ns, const Digest& run_record,
                     std::chrono::milliseconds patience)
    : m_client(client),
      m_name{kube::resources::leases, ns, proof_lease_name(run_record)},
      m_holder(holder_name()),
      m_lease(client, m_name, m_holder) {
  if (!m_lease.try_acquire()) {
    const auto limit = std::max<std::chrono::milliseconds>(patience, until_run_out);
    log::info(busy(m_name, m_lease.record()).message() + ": waiting", {{"waits_at_most", human_duration(limit)}});
    if (!m_lease.acquire(limit)) throw busy(m_name, m_lease.record());
  }
  m_keeper = std::thread{[this] { keep(); }};
}

ProofTurn::~ProofTurn() {
  give_back();
  m_keeper.join();
}

void ProofTurn::keep() {
  std::unique_lock lock{m_mutex};
  while (!m_changed.wait_for(lock, std::chrono::seconds{1}, [this] { return m_is_over; })) {
    try {
      m_lease.keep();
    } catch (const std::exception& error) {
      m_loss = error.what();
      log::warning(m_loss);
      return;
    }
  }
}

bool ProofTurn::belong_to(const std::optional<Owner>& owner) {
  const std::lock_guard lock{m_mutex};
  return m_lease.set_owners(owner ? json::Array{owner_reference(*owner)} : json::Array{});
}

void ProofTurn::require() {
  const std::lock_guard lock{m_mutex};
  if (!m_loss.empty()) throw Error{ErrorKind::busy, "another proof of this run may be at work: " + m_loss};
}

void ProofTurn::give_back() {
  const std::lock_guard lock{m_mutex};
  if (std::exchange(m_is_over, true)) return;
  m_changed.notify_all();
  try {
    const auto found = m_client.find(m_name);
    if (!found) return;
    const auto record = kube::read_lease(*found);
    if (record.holder == m_holder) m_client.remove(m_name, {.resource_version = record.resource_version});
  } catch (const std::exception& error) {
    log::warning(fmt::format("{} is left over, it runs out by itself: {}", kube::text_of(m_name), error.what()));
  }
}

}  // namespace capsule::cluster
