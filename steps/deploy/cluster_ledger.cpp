#include "cluster_ledger.hpp"

#include <algorithm>

#include "cluster/names.hpp"
#include "cluster/plan.hpp"
#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "json/lookup.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

constexpr std::string_view last_run = "/status/lastRun/runId";
constexpr std::string_view last_record = "/status/lastRun/record";

}  // namespace

cluster::RunBook ClusterLedger::read(const std::string& text) const {
  auto book = cluster::RunBook::parse(text);
  const auto last = text_at(m_object.value(), last_run);
  if (m_was_there && (book.is_empty() || (!last.empty() && !book.record_of(last)))) book.set_incomplete();
  return book;
}

const std::vector<deploy::RunOnRecord>& ClusterLedger::recorded(const deploy::RunWish& wish) {
  if (!m_recorded) m_recorded = deploy::recorded_runs(m_store, *m_order.reference.digest, wish);
  return *m_recorded;
}

std::optional<deploy::LedgerEntry> ClusterLedger::find(const cluster::RunBook& book, const deploy::RunWish& wish) {
  if (auto entry = book.find(wish)) return entry;
  if (!book.is_incomplete()) return std::nullopt;
  // Of several the last one, which the object's status may name.
  const auto named = text_at(m_object.value(), last_record);
  const deploy::RunOnRecord* chosen = nullptr;
  for (const auto& run : recorded(wish)) {
    if (book.record_of(run.request.run_id())) continue;  // made for another wish
    const bool is_named = run.record.text() == named;
    if (is_named || chosen == nullptr || (chosen->record.text() != named && chosen->finished_at < run.finished_at))
      chosen = &run;
  }
  if (chosen == nullptr) return std::nullopt;
  m_on_record = chosen->record;
  return deploy::LedgerEntry{chosen->request, chosen->record};
}

bool ClusterLedger::is_on_record(const deploy::LedgerEntry& entry) {
  if (!entry.record) return false;
  if (m_on_record != entry.record && deploy::is_run_record(m_store, *entry.record, entry.request.run_id()))
    m_on_record = entry.record;
  return m_on_record == entry.record;
}

std::optional<std::string> ClusterLedger::find_record(deploy::LedgerEntry& entry) {
  auto record = deploy::find_run_record(m_store, *m_order.reference.digest, entry.request.run_id());
  if (record) entry.record = m_on_record = crypto::sha256(*record);
  return record;
}

bool ClusterLedger::is_done(const deploy::RunWish& wish) {
  m_was_there = m_object.known() != nullptr;
  if (!m_was_there || m_order.options.new_run) return false;
  const auto entry = find(read(m_object.annotation(cluster::annotation::runs)), wish);
  return entry && is_on_record(*entry) && !wants_renewal(*entry);
}

/// Whether the proof of that run, which is on record, has expired, and another run is wanted for it. Once that has
/// begun it is none that is on record, so that a retry goes on with it.
bool ClusterLedger::wants_renewal(const deploy::LedgerEntry& entry) const {
  return m_order.options.renew_proofs &&
         cluster::is_proof_expired(m_object.value(), *entry.record, m_order.trust.max_proof_age(m_order.reference.name),
                                   now());
}

deploy::LedgerEntry ClusterLedger::begin(const deploy::RunWish& wish) {
  std::optional<deploy::LedgerEntry> entry;
  m_object.change_annotation(cluster::annotation::runs, [&](const std::string& before) {
    auto book = read(before);
    const auto known = book.find(wish);
    const auto noted = known ? known->record : std::nullopt;
    entry = m_order.options.new_run ? std::nullopt : find(book, wish);
    // A run has one record, ever: where that is lost, what follows is another run.
    if (entry && entry->record && !is_on_record(*entry) && !find_record(*entry)) entry.reset();
    if (entry && entry->record && wants_renewal(*entry)) entry.reset();
    if (known && entry && entry->record == noted) return before;
    if (entry)
      book.finish(wish, *entry);
    else
      entry = begin_new(book, wish);
    return book.text();
  });
  return *entry;
}

deploy::LedgerEntry ClusterLedger::begin_new(cluster::RunBook& book, const deploy::RunWish& wish) {
  std::uint64_t used = 0;
  if (book.is_incomplete() && !book.find(wish))
    for (const auto& run : recorded(wish)) used = std::max(used, run.request.ordinal);
  auto entry = book.begin(wish, used);
  // With a seed that is asked for, a run of a deployment that was removed may be on record under the same name.
  while (m_order.options.new_run && wish.seed && find_record(entry)) entry = book.begin(wish);
  return entry;
}

void ClusterLedger::finish(const deploy::RunWish& wish, const deploy::LedgerEntry& entry) {
  m_object.change_annotation(cluster::annotation::runs, [&](const std::string& before) {
    auto book = read(before);
    book.finish(wish, entry);
    return book.text();
  });
}

}  // namespace deploy_step
