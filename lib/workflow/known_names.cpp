#include "workflow/known_names.hpp"

namespace capsule::workflow {

void KnownNames::add_node(const std::string& prefix, const Template& definition) {
  add(prefix + ".status");
  add(prefix + ".exitCode");
  for (const auto& output : definition.outputs) add(prefix + ".outputs.parameters." + output.name);
}

bool KnownNames::knows(std::string_view path) const {
  if (m_names.contains(path) || (m_has_item && (path == "item" || path.starts_with("item.")))) return true;
  return m_outer != nullptr && (!m_which || m_which(path)) && m_outer->knows(path);
}

Lookup KnownNames::lookup() const {
  return [this](std::string_view path) -> std::optional<json::Value> {
    return knows(path) ? std::optional{json::Value{std::string{}}} : std::nullopt;
  };
}

}  // namespace capsule::workflow
