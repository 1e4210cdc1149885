#include "archive/pipeline.hpp"

#include <algorithm>
#include <thread>

namespace capsule::archive {

Pipeline::Pipeline(std::size_t slots, std::function<bool(std::size_t)> produce)
    : m_slots(slots), m_produce(std::move(produce)) {}

Pipeline::StageId Pipeline::add(Order order, Work work, std::vector<StageId> after) {
  m_stages.push_back({order, std::move(work), std::move(after)});
  return m_stages.size() - 1;
}

unsigned Pipeline::default_workers() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
}

Pipeline::State& Pipeline::state_of(std::uint64_t item, StageId stage) {
  return m_states[static_cast<std::size_t>(item % m_slots) * m_stages.size() + stage];
}

Pipeline::State Pipeline::state_of(std::uint64_t item, StageId stage) const {
  return m_states[static_cast<std::size_t>(item % m_slots) * m_stages.size() + stage];
}

bool Pipeline::is_ready(std::uint64_t item, StageId stage) const {
  if (state_of(item, stage) != State::waiting) return false;
  const auto& it = m_stages[stage];
  if (it.order == Order::serial && it.next != item) return false;
  return std::all_of(it.after.begin(), it.after.end(),
                     [&](StageId before) { return state_of(item, before) == State::done; });
}

/// Oldest item first: that is what frees slots.
Pipeline::Task Pipeline::pick() const {
  for (auto item = m_first; item < std::min(m_produced, m_limit); ++item) {
    for (StageId stage = 0; stage < m_stages.size(); ++stage) {
      if (is_ready(item, stage)) return {Task::Kind::stage, item, stage};
    }
  }
  const bool may_produce = !m_ended && !m_producing && m_produced - m_first < m_slots && m_produced < m_limit;
  return may_produce ? Task{Task::Kind::produce, m_produced, 0} : Task{};
}

void Pipeline::start(const Task& task) {
  ++m_running;
  if (task.kind == Task::Kind::produce)
    m_producing = true;
  else
    state_of(task.item, task.stage) = State::running;
}

void Pipeline::finish(const Task& task, bool produced, std::exception_ptr error) {
  --m_running;
  if (task.kind == Task::Kind::produce) m_producing = false;
  if (error) {
    // Earlier items go on: one of them may hold the error that comes first.
    const bool earlier = task.item < m_limit || (task.item == m_limit && task.stage < m_failed_stage);
    if (earlier) {
      m_limit = task.item;
      m_failed_stage = task.stage;
      m_error = std::move(error);
    }
  } else if (task.kind == Task::Kind::produce) {
    m_ended = !produced;
    m_produced += produced ? 1 : 0;
  } else {
    state_of(task.item, task.stage) = State::done;
    m_stages[task.stage].next = task.item + 1;
    const auto is_done = [&](StageId stage) { return state_of(m_first, stage) == State::done; };
    while (m_first < m_produced) {
      bool all = true;
      for (StageId stage = 0; stage < m_stages.size(); ++stage) all = all && is_done(stage);
      if (!all) break;
      for (StageId stage = 0; stage < m_stages.size(); ++stage) state_of(m_first, stage) = State::waiting;
      ++m_first;
    }
  }
  m_changed.notify_all();
}

void Pipeline::execute(const Task& task) {
  bool produced = false;
  std::exception_ptr error;
  const auto slot = static_cast<std::size_t>(task.item % m_slots);
  try {
    if (task.kind == Task::Kind::produce)
      produced = m_produce(slot);
    else
      m_stages[task.stage].work(slot);
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock{m_mutex};
  finish(task, produced, error);
}

void Pipeline::work() {
  while (true) {
    Task task;
    {
      std::unique_lock lock{m_mutex};
      m_changed.wait(lock, [&] {
        task = pick();
        return task.kind != Task::Kind::none || m_running == 0;
      });
      if (task.kind == Task::Kind::none) return;
      start(task);
    }
    execute(task);
  }
}

void Pipeline::run(unsigned workers) {
  m_states.assign(m_slots * m_stages.size(), State::waiting);
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < workers; ++i) threads.emplace_back([this] { work(); });
  work();
  for (auto& thread : threads) thread.join();
  if (m_error) std::rethrow_exception(m_error);
}

}  // namespace capsule::archive
