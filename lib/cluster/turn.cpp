#include "cluster/turn.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "cluster/names.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

/// A lease that is not renewed for this long is its holder's no more; a little more than its duration.
constexpr std::chrono::seconds until_run_out{35};

std::string digest_of(const kube::LeaseRecord& record) {
  const auto found = record.annotations.find(std::string{annotation::digest});
  return found == record.annotations.end() ? std::string{} : found->second;
}

Error busy(const std::string& ns, const std::string& name, const kube::LeaseRecord& by) {
  const auto where = fmt::format("{} in namespace {}", name, ns);
  if (by.holder.empty()) return {ErrorKind::busy, where + " is being deployed by others, one after the other"};
  const auto digest = digest_of(by);
  if (digest.empty()) return {ErrorKind::busy, fmt::format("{} is being removed by {}", where, printable(by.holder))};
  return {ErrorKind::busy,
          fmt::format("{} is being deployed by {} ({})", where, printable(by.holder), printable(digest))};
}

}  // namespace

std::string holder_name() {
  std::array<char, 64> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.front() = '\0';
  std::uint32_t drawn = 0;
  for (const auto byte : crypto::random_bytes(sizeof drawn)) drawn = drawn << 8U | std::to_integer<std::uint32_t>(byte);
  return fmt::format("{}_{:08x}", host.data(), drawn);
}

kube::Name Turn::lease_name(const std::string& ns, const std::string& name) {
  return {kube::resources::leases, ns, "capsule-" + name};
}

Turn::Turn(kube::Client& client, const std::string& ns, const std::string& name, const std::optional<Digest>& capsule,
           std::chrono::milliseconds patience, std::string holder)
    : m_lease(client, lease_name(ns, name), std::move(holder)) {
  std::map<std::string, std::string> annotations;
  if (!capsule) static_cast<void>(m_lease.set_owners({}));  // else it would go with the object, before the pods
  if (capsule) annotations.emplace(annotation::digest, capsule->text());
  if (m_lease.try_acquire(annotations)) return;
  const auto first = m_lease.record();
  const auto is_of_another = [&](const kube::LeaseRecord& by) {
    const auto digest = digest_of(by);
    return capsule && !digest.empty() && digest != capsule->text();
  };
  log::info(busy(ns, name, first).message() + ": waiting");
  // Of another capsule: only where its deploy was killed, which shows when nobody renews its lease.
  const auto how_long = is_of_another(first) ? std::max<std::chrono::milliseconds>(patience, until_run_out) : patience;
  const bool ours = m_lease.acquire(how_long, annotations, [&] {
    const auto& now = m_lease.record();
    if (now.resource_version != first.resource_version && is_of_another(now)) throw busy(ns, name, now);
  });
  if (!ours) throw busy(ns, name, m_lease.record());
}

bool Turn::belong_to(const std::optional<Owner>& owner) {
  return m_lease.set_owners(owner ? json::Array{owner_reference(*owner)} : json::Array{});
}

Turn::~Turn() {
  try {
    m_lease.release();
  } catch (const std::exception& error) {
    log::warning(fmt::format("the lease is not given back, it runs out by itself: {}", error.what()));
  }
}

}  // namespace capsule::cluster
