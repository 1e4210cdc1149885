#pragma once

#include <optional>
#include <string>

#include "index/seen.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

/// The highest head of a capsule's index that was seen, for each registry, as status.indexSeen of its ProofedDeployment
/// object has it: the next step's pod finds an empty state folder. At most 16 registries, the last ones. Where there is
/// no such object nothing is remembered. Pure: what is damaged there is as if it were not, and a number is never set
/// back.
std::optional<index::HeadId> index_seen(const json::Value& object, const std::string& registry);
void set_index_seen(json::Object& object, const std::string& registry, const index::HeadId& head);

/// That memory. It reads and writes nothing by itself.
class IndexMemory final : public index::HeadsElsewhere {
 public:
  /// `ns` may be empty: that of the object.
  IndexMemory(std::string ns, std::string name) : m_ns(std::move(ns)), m_name(std::move(name)) {}

  /// What the object has of it, as it was read; null: there is none.
  void know(const json::Value* object);
  std::optional<index::HeadId> of(const std::string& registry, const std::string& name) override;
  void saw(const std::string& registry, const std::string& name, const index::HeadId& now) override;
  [[nodiscard]] std::string where() const override;

  /// The last head that was seen, and where; nothing where none was.
  struct Last {
    std::string registry;
    index::HeadId head;
  };
  [[nodiscard]] const std::optional<Last>& last() const noexcept { return m_last; }
  /// Puts it into the status of the object.
  void note(json::Object& object) const;
  /// A warning where the object, as the cluster has it after note(), does not have it.
  void warn_unless_noted(const json::Value& object) const;

 private:
  std::string m_ns;
  std::string m_name;
  std::optional<json::Value> m_object;
  std::optional<Last> m_last;
};

}  // namespace capsule::cluster
