#include "workflow/scope.hpp"

#include "workflow/substitution.hpp"

namespace capsule::workflow {

void Scope::set_node(const std::string& prefix, const Outcome& outcome) {
  set(prefix + ".status", std::string{name_of(outcome.phase)});
  set(prefix + ".exitCode", std::to_string(outcome.exit_code));
  const auto parameters = prefix + ".outputs.parameters.";
  for (const auto& [name, value] : outcome.outputs) set(parameters + name, value);
}

void Scope::set_item(const json::Value& item) {
  set("item", parameter_text(item));
  if (const auto* object = item.if_object()) {
    for (const auto& [key, value] : *object) set("item." + key, parameter_text(value));
  }
}

Lookup Scope::lookup() const {
  return [this](std::string_view path) -> std::optional<json::Value> {
    const auto found = m_values.find(path);
    return found == m_values.end() ? std::nullopt : std::optional{*found->second};
  };
}

}  // namespace capsule::workflow
