#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace capsule::process {

/// Which files a process may open, by Landlock. Made before a fork; the rest is async-signal-safe.
struct LandlockRules {
  std::vector<std::string> readable;
  std::vector<std::string> writable;
  std::vector<std::string> devices;
  bool tcp = false;                   ///< all of it
  std::optional<std::uint16_t> port;  ///< without that: one that may be connected to
};

/// The version of Landlock that this kernel offers; 0, with errno, for none.
int landlock_version() noexcept;
/// From this version on it has rules for TCP ports (Linux 6.7).
inline constexpr int landlock_with_ports = 4;

/// A descriptor for landlock_restrict(), made with the rights that we have now; -1, with errno. Paths that cannot be
/// opened are left out.
int landlock_ruleset(const LandlockRules& rules, bool with_private_memory_folder) noexcept;

/// Binds this process, which must have no_new_privs or CAP_SYS_ADMIN.
bool landlock_restrict(int ruleset) noexcept;

}  // namespace capsule::process
