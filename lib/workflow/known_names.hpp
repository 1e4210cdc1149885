#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "workflow/expression.hpp"
#include "workflow/model.hpp"

namespace capsule::workflow {

/// The names that a Scope will hold at one place of a workflow, without their values.
class KnownNames {
 public:
  using Which = std::function<bool(std::string_view path)>;

  KnownNames() = default;
  /// Knows what `outer` knows, too, as far as `which` lets it. `outer` must outlive this.
  explicit KnownNames(const KnownNames* outer, Which which = {}) : m_outer(outer), m_which(std::move(which)) {}
  void add(std::string path) { m_names.insert(std::move(path)); }
  /// What Scope::set_node() will set for a task that runs `definition`.
  void add_node(const std::string& prefix, const Template& definition);
  /// What Scope::set_item() will set; which members an item has is not known before.
  void add_item() { m_has_item = true; }
  /// Gives an empty text for each name that is known. Refers to this.
  [[nodiscard]] Lookup lookup() const;

 private:
  [[nodiscard]] bool knows(std::string_view path) const;

  const KnownNames* m_outer = nullptr;
  Which m_which;  ///< empty: all of it
  std::set<std::string, std::less<>> m_names;
  bool m_has_item = false;
};

}  // namespace capsule::workflow
