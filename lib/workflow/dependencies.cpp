#include "workflow/dependencies.hpp"

#include <map>
#include <set>
#include <string_view>

#include "workflow/expression.hpp"

namespace capsule::workflow {

DependencyGraph::DependencyGraph(const std::vector<Task>& tasks) : needs(tasks.size()), dependents(tasks.size()) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < tasks.size(); ++i) places.emplace(tasks[i].name, i);
  std::vector<std::size_t> open(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    std::set<std::size_t> before;
    for (const auto& name : tasks_in(tasks[i].depends)) before.insert(places.at(name));
    needs[i].assign(before.begin(), before.end());
    for (const auto place : before) dependents[place].push_back(i);
    open[i] = before.size();
    if (before.empty()) order.push_back(i);
  }
  for (std::size_t at = 0; at < order.size(); ++at) {
    for (const auto dependent : dependents[order[at]]) {
      if (--open[dependent] == 0) order.push_back(dependent);
    }
  }
}

}  // namespace capsule::workflow
