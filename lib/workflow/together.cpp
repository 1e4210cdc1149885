#include "workflow/together.hpp"

#include <exception>
#include <future>

namespace capsule::workflow {

std::vector<Outcome> run_together(const std::vector<std::function<Outcome()>>& work) {
  if (work.size() == 1) return {work.front()()};
  std::vector<std::future<Outcome>> futures;
  futures.reserve(work.size());
  for (const auto& piece : work) futures.push_back(std::async(std::launch::async, piece));
  std::vector<Outcome> out;
  std::exception_ptr fault;
  for (auto& future : futures) {
    try {
      out.push_back(future.get());
    } catch (...) {
      if (!fault) fault = std::current_exception();
    }
  }
  if (fault) std::rethrow_exception(fault);
  return out;
}

Outcome combined(const std::vector<Outcome>& outcomes, const std::vector<bool>& may_fail) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].good() && !may_fail[i]) return {Phase::failed, outcomes[i].exit_code, outcomes[i].message, {}};
  }
  return {Phase::succeeded, 0, {}, {}};
}

}  // namespace capsule::workflow
