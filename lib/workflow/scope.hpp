#pragma once

#include <map>
#include <memory>
#include <string>

#include "workflow/expression.hpp"
#include "workflow/run_state.hpp"

namespace capsule::workflow {

/// The names that tags may use at one place of a workflow, by their full path: "inputs.parameters.x",
/// "steps.a.outputs.parameters.b", "workflow.name", "item", …
class Scope {
 public:
  void set(const std::string& path, std::string value) {
    m_values.insert_or_assign(path, std::make_shared<const json::Value>(std::move(value)));
  }
  /// `steps.<name>` or `tasks.<name>`: status, exitCode and outputs of a node.
  void set_node(const std::string& prefix, const Outcome& outcome);
  /// `item`, and `item.<key>` for an object.
  void set_item(const json::Value& item);
  [[nodiscard]] Lookup lookup() const;

 private:
  /// Shared by the copies that the tasks of a template work with.
  std::map<std::string, std::shared_ptr<const json::Value>, std::less<>> m_values;
};

}  // namespace capsule::workflow
