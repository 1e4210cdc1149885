#pragma once

#include <linux/filter.h>

#include "process/confinement.hpp"
#include "process/landlock.hpp"
#include "process/supervisor.hpp"

namespace capsule::process {

/// What Kind::failed says of a child that could reach more than its way out.
inline constexpr const char* only_way_out_failure = "close all but the way out of";

/// A Confinement made ready for a fork.
class ConfinedChild final : public ChildSetup {
 public:
  /// `program`: may be read and run, wherever it is.
  ConfinedChild(const Confinement& confinement, const std::string& program);
  [[nodiscard]] bool wants_pid_namespace() const noexcept override { return m_confinement.pid_namespace; }
  void begin(int report) const noexcept override;
  void prepare(int report) const noexcept override;
  [[nodiscard]] bool confine(int report) const noexcept override;

 private:
  void enter_network(int report) const noexcept;
  [[nodiscard]] bool become_user(int report) const noexcept;
  [[nodiscard]] bool restrict_files(int report, int ruleset) const noexcept;
  [[nodiscard]] bool keep_network(int report, bool has_port_rules, bool is_filtered, int filter_error) const noexcept;

  Confinement m_confinement;
  std::vector<std::string> m_mounted_writable;
  bool m_user_exists = false;
  std::string m_user_map;  ///< for the user namespace
  std::string m_group_map;
  LandlockRules m_rules;
  const std::vector<sock_filter>* m_filter = nullptr;
  mutable bool m_has_memory_folder = false;  ///< found out in the child
  mutable bool m_own_network = false;        ///< the same
};

}  // namespace capsule::process
