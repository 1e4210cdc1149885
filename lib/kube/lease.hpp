#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "kube/client.hpp"

namespace capsule::kube {

/// What a Lease object says (coordination.k8s.io/v1).
struct LeaseRecord {
  std::string holder;            ///< empty: nobody's
  std::int64_t transitions = 0;  ///< how often it went to another holder: the fencing number of the present one
  std::chrono::seconds duration{0};
  std::map<std::string, std::string> annotations;
  std::string resource_version;  ///< empty: there is no such object
  json::Array owners{};          ///< metadata.ownerReferences: with the last of them it is removed
};
LeaseRecord read_lease(const json::Value& object);

/// One holder at a time, by a Lease, as client-go's leader election has it. Times in the object are for people: that a
/// lease has run out is told by our own monotonic clock, which must see it unchanged for all of its duration; clocks of
/// machines need not agree. A holder that was stopped for longer than that may still believe in its lease, so what is
/// written under one carries transitions(), and what was written under a higher number is not overwritten.
class Lease {
 public:
  /// `holder` is another one for each who competes.
  Lease(Client& client, Name name, std::string holder, std::chrono::seconds duration = std::chrono::seconds{30});

  /// Looks once and takes it if nobody has it, or if it was seen unchanged for its duration; false: another has it, see
  /// record(), which is of nobody where he has given it back since. `annotations` say to others what it is held for.
  bool try_acquire(const std::map<std::string, std::string>& annotations = {});
  /// The same until it has it, or `patience` is over; `on_wait` is called about once a second.
  bool acquire(std::chrono::milliseconds patience, const std::map<std::string, std::string>& annotations = {},
               const std::function<void()>& on_wait = {});

  /// Whose it is from now on, as entries of metadata.ownerReferences; until that is said, those that stand there stay.
  /// Where it is held and is not theirs yet, that is written at once. False: it is lost, since somebody has removed it,
  /// as the garbage collector does with what was another owner's.
  bool set_owners(json::Array owners);

  /// To be called often while it is held: renews it when a third of its duration has passed. An apiserver that is away
  /// is borne until two thirds have passed. Error busy: it is lost.
  void keep();
  /// Renews it now, with one try that lasts a third of its duration at most. Error busy: another took it, or somebody
  /// removed it.
  void renew();
  /// Gives it back, so that the next need not wait; nothing where it is not held. Error as the client has it.
  void release();
  /// The same for whoever holds it under our name by another Lease, as on another thread. Looks first.
  void give_back();

  /// Whether it is held for certain, by our own clock.
  [[nodiscard]] bool is_held() const;
  /// What was last seen of it.
  [[nodiscard]] const LeaseRecord& record() const noexcept { return m_record; }
  [[nodiscard]] std::int64_t transitions() const noexcept { return m_record.transitions; }

 private:
  using Clock = std::chrono::steady_clock;
  void observe(LeaseRecord record);
  void look();
  [[nodiscard]] bool is_free() const;
  [[nodiscard]] json::Value object(const std::string& holder, std::chrono::seconds duration, std::int64_t transitions,
                                   const std::map<std::string, std::string>& annotations) const;
  bool write(const json::Value& object, const Write& how = {});
  [[noreturn]] void lose(std::string_view why);
  [[nodiscard]] Clock::time_point now() const { return m_client.connection().timer().now(); }

  Client& m_client;
  Name m_name;
  std::string m_holder;
  std::chrono::seconds m_duration;
  LeaseRecord m_record;
  Clock::time_point m_observed{};  ///< when m_record was first seen as it is
  Clock::time_point m_renewed{};   ///< before the request that last renewed it
  bool m_has_it = false;
  std::string m_acquire_time;
  std::optional<json::Array> m_owners;  ///< nothing: those that stand there
};

}  // namespace capsule::kube
