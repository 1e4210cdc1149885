#include "ahead.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "archive/pipeline.hpp"
#include "core/error.hpp"
#include "image/version_blobs.hpp"
#include "oci/store.hpp"

namespace publish {

using namespace capsule;

namespace {

/// Nice: a little less than sending has. Much less, and a machine with other work starves it, so that all waits for it.
constexpr int gives_way = 5;

}  // namespace

AheadOfVerification::AheadOfVerification(const Request& request, const std::optional<Hints>& hints) {
  if (!hints || request.registry.is_layout()) return;
  m_name = hints->name;
  m_store = oci::open_store(request.registry, m_name);
  if (m_store->resolve(hints->version)) return;  // published already, or a conflict
  std::vector<std::pair<const oci::Descriptor*, std::uint64_t>> segments;
  std::uint64_t start = 0;
  for (const auto& segment : hints->segments) {
    segments.emplace_back(&segment, start);
    start += segment.size;
  }
  std::stable_sort(segments.begin(), segments.end(),
                   [](const auto& a, const auto& b) { return a.first->size < b.first->size; });
  m_transfers.emplace(*m_store, oci::transfers_at_once(request.registry));
  for (const auto& [segment, at] : segments) {
    auto content = image::segment_content(request.input, m_opening, *segment, at);
    content.check = oci::BlobContent::Check::registry;
    m_transfers->add(std::move(content));
  }
}

std::shared_ptr<oci::Store> AheadOfVerification::store(std::string_view name) const {
  return name == m_name ? m_store : nullptr;
}

void AheadOfVerification::during(const std::function<void()>& verify) {
  if (!m_transfers) return verify();
  std::exception_ptr failure;
  std::thread{[&] {
    // Of this thread alone, and of those that it starts. That it cannot be had changes nothing.
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), gives_way));
    try {
      verify();
    } catch (...) {
      failure = std::current_exception();
    }
  }}.join();
  if (failure) std::rethrow_exception(failure);
}

unsigned AheadOfVerification::workers_left() const noexcept {
  return m_transfers ? std::max(1U, archive::Pipeline::default_workers() - 1) : 0;
}

const oci::Transfers* AheadOfVerification::finish(log::Progress& progress) {
  if (!m_transfers) return nullptr;
  m_transfers->show(progress);
  try {
    m_transfers->finish();
  } catch (const Error& error) {
    // The hints were wrong, as the registry says: if it was anything else, the Publisher will see it again.
    if (error.kind() != ErrorKind::verification_failed && error.kind() != ErrorKind::invalid_input) throw;
  }
  return &*m_transfers;
}

}  // namespace publish
