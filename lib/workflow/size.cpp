#include "workflow/size.hpp"

#include <fmt/format.h>

#include <map>

#include "core/error.hpp"

namespace capsule::workflow {

namespace {

/// Whether a task may come to nothing although all goes well.
bool is_uncertain(const Task& task) {
  return !task.when.empty() || task.depends.find_first_of(".|!") != std::string::npos;
}

class Counter {
 public:
  explicit Counter(const Library& library) : m_library(library) {}

  std::size_t nodes_of(const Library::Resolved& resolved, std::size_t level) {
    const auto& definition = *resolved.definition;
    if (level > max_depth + 1) {
      throw Error{ErrorKind::usage, fmt::format("{}: the templates call each other deeper than {} levels, with '{}'",
                                                definition.place, max_depth, definition.name)};
    }
    const auto [known, fresh] = m_known.emplace(std::pair{&definition, level}, 0);
    if (!fresh) return known->second;
    std::size_t nodes = 0;
    const auto add = [&](const Task& task) {
      nodes += nodes_of_task(*resolved.spec, task, level);
      if (nodes > max_nodes) {
        throw Error{ErrorKind::usage,
                    fmt::format("{}: the template '{}' comes to more than {} nodes, the limit of a run",
                                definition.place, definition.name, max_nodes)};
      }
    };
    for (const auto& group : definition.steps) {
      for (const auto& task : group) add(task);
    }
    for (const auto& task : definition.dag) add(task);
    return known->second = nodes;
  }

 private:
  std::size_t nodes_of_task(const Spec& spec, const Task& task, std::size_t level) {
    if (task.with_items && task.with_items->size() > max_items)
      throw Error{ErrorKind::usage, fmt::format("{}: more than {} items", task.place, max_items)};
    if (is_uncertain(task) || !task.with_param.empty() || (task.with_items && task.with_items->empty())) return 1;
    auto nodes = 1 + nodes_of(m_library.resolve(spec, task.target), level + 1);
    if (task.exit_hook) nodes += 1 + nodes_of(m_library.resolve(spec, task.exit_hook->target), level + 1);
    return task.with_items ? 1 + nodes * task.with_items->size() : nodes;
  }

  const Library& m_library;
  std::map<std::pair<const Template*, std::size_t>, std::size_t> m_known;
};

}  // namespace

void check_size(const Library& library, const Library::Resolved& entrypoint) {
  Counter{library}.nodes_of(entrypoint, 0);
}

}  // namespace capsule::workflow
