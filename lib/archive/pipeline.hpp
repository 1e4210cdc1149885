#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

namespace capsule::archive {

/// Work on a stream of items (gzip members) in stages, on all cores, in constant memory: there are as many items under
/// way as there are slots. A serial stage sees the items one at a time, in order; a parallel one sees them as they
/// come.
///
/// Failures are deterministic: the error that run() throws is that of the first failing item, whatever the threads did.
class Pipeline {
 public:
  enum class Order { serial, parallel };
  using StageId = std::size_t;
  using Work = std::function<void(std::size_t slot)>;

  /// `produce` makes the next item in a slot, serially; false = there is none.
  Pipeline(std::size_t slots, std::function<bool(std::size_t slot)> produce);

  /// A stage that sees an item once it is produced and the stages `after` are done with it.
  StageId add(Order order, Work work, std::vector<StageId> after = {});

  /// Works until all items are done, on `workers` threads, of which the caller is one.
  void run(unsigned workers);

  /// As many threads as there are cores, at most 4: hashing is serial, and each thread may need memory of its own.
  static unsigned default_workers();

 private:
  enum class State : std::uint8_t { waiting, running, done };
  struct Stage {
    Order order;
    Work work;
    std::vector<StageId> after;
    std::uint64_t next = 0;  ///< of a serial stage: the item whose turn it is
  };
  struct Task {
    enum class Kind { none, produce, stage } kind = Kind::none;
    std::uint64_t item = 0;
    StageId stage = 0;
  };

  void work();
  [[nodiscard]] Task pick() const;
  [[nodiscard]] bool is_ready(std::uint64_t item, StageId stage) const;
  State& state_of(std::uint64_t item, StageId stage);
  [[nodiscard]] State state_of(std::uint64_t item, StageId stage) const;
  void start(const Task& task);
  void execute(const Task& task);
  void finish(const Task& task, bool produced, std::exception_ptr error);

  std::size_t m_slots;
  std::function<bool(std::size_t)> m_produce;
  std::vector<Stage> m_stages;
  std::vector<State> m_states;  ///< by slot and stage

  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::uint64_t m_first = 0;           ///< the oldest item under way
  std::uint64_t m_produced = 0;        ///< items made so far
  std::uint64_t m_limit = UINT64_MAX;  ///< no work is begun on this item or a later one: it failed
  std::size_t m_failed_stage = 0;
  bool m_producing = false;
  bool m_ended = false;
  unsigned m_running = 0;
  std::exception_ptr m_error;
};

}  // namespace capsule::archive
