#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/deployed_object.hpp"
#include "cluster/run_book.hpp"
#include "deploy/recorded_runs.hpp"
#include "order.hpp"

namespace deploy_step {

/// Which run answers a wish on a cluster: the one that its object says was begun (cluster::RunBook) or, where that was
/// lost or damaged, the one that is on record in the registry; so that no run is made and billed twice. The registry's
/// records count nowhere else: whoever may write there could have put one in place of a run that was never made.
class ClusterLedger {
 public:
  ClusterLedger(const Order& order, capsule::oci::Store& store, capsule::cluster::DeployedObject& object)
      : m_order(order), m_store(store), m_object(object) {}

  /// Whether the run is on record: then no pod is needed for it. To be asked before the object is applied: one that is
  /// new has no runs.
  bool is_done(const capsule::deploy::RunWish& wish);
  /// The run that was begun for this wish or, where there is none or another is wanted, a new one: it is in the object
  /// before it starts.
  capsule::deploy::LedgerEntry begin(const capsule::deploy::RunWish& wish);
  /// Whether what the entry says is the run's record is that: the object may be written by hand.
  bool is_on_record(const capsule::deploy::LedgerEntry& entry);
  /// The record that is attached under the run's name, though the entry does not say so; it does afterwards.
  std::optional<std::string> find_record(capsule::deploy::LedgerEntry& entry);
  /// The run is on record.
  void finish(const capsule::deploy::RunWish& wish, const capsule::deploy::LedgerEntry& entry);

 private:
  [[nodiscard]] capsule::cluster::RunBook read(const std::string& text) const;
  std::optional<capsule::deploy::LedgerEntry> find(const capsule::cluster::RunBook& book,
                                                   const capsule::deploy::RunWish& wish);
  capsule::deploy::LedgerEntry begin_new(capsule::cluster::RunBook& book, const capsule::deploy::RunWish& wish);
  [[nodiscard]] bool wants_renewal(const capsule::deploy::LedgerEntry& entry) const;
  const std::vector<capsule::deploy::RunOnRecord>& recorded(const capsule::deploy::RunWish& wish);

  const Order& m_order;
  capsule::oci::Store& m_store;
  capsule::cluster::DeployedObject& m_object;
  bool m_was_there = false;                    ///< the object, before this deploy
  std::optional<capsule::Digest> m_on_record;  ///< the one that was looked at
  std::optional<std::vector<capsule::deploy::RunOnRecord>> m_recorded;
};

}  // namespace deploy_step
