#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <cstdint>

#include "process/excess.hpp"

namespace capsule::process {

class ChildSetup;

/// What the supervisor and the program-to-be tell the caller through the report socket, which keeps messages whole.
struct Report {
  enum class Kind : std::uint8_t {
    started,         ///< exec has succeeded; value: the program's process id
    held,            ///< text: a part of the confinement
    missing,         ///< text: such a part, value: errno
    way_out,         ///< comes with the descriptor of open_way_out()
    failed,          ///< text: what could not be done before exec, value: errno
    over_memory,     ///< the program is ended for it
    over_processes,  ///< the same
    ended,           ///< value: the wait status; cpu_ms, max_rss_bytes
  };
  Kind kind = Kind::ended;
  int value = 0;
  std::int64_t cpu_ms = 0;
  std::uint64_t max_rss_bytes = 0;
  std::array<char, 200> text{};
};

/// What the caller sends along the lifeline, a socket; its end of file means that the caller is dead.
enum class Order : char { terminate = 'T', kill = 'K' };

/// Without a signal when nobody is at the other end.
void send_order(int lifeline, Order order) noexcept;

/// All that the forked child needs, made before the fork: after it, nothing may allocate.
struct ChildPlan {
  int input = -1;     ///< becomes 0
  int output = -1;    ///< becomes 1
  int error = -1;     ///< becomes 2
  int report = -1;    ///< the child's end of the report pipe
  int lifeline = -1;  ///< read end
  int grace_ms = 0;
  const char* program = nullptr;
  char* const* arguments = nullptr;    ///< argv, with argv[0]
  char* const* environment = nullptr;  ///< envp
  const char* folder = nullptr;        ///< null: the caller's
  const ChildSetup* setup = nullptr;   ///< the confinement; null: none
  bool spares_detached = false;        ///< Command::spares_detached
  Most most;                           ///< what all processes of the program may have together
};

/// The confinement as the child applies it. Both functions run after a fork and must be async-signal-safe.
class ChildSetup {
 public:
  ChildSetup() = default;
  ChildSetup(const ChildSetup&) = delete;
  ChildSetup& operator=(const ChildSetup&) = delete;
  virtual ~ChildSetup() = default;
  [[nodiscard]] virtual bool wants_pid_namespace() const noexcept = 0;
  /// In the supervisor-to-be, before its PID namespace.
  virtual void begin(int report) const noexcept = 0;
  /// In the supervisor, before the program is forked: the other namespaces.
  virtual void prepare(int report) const noexcept = 0;
  /// In the program-to-be, last before exec. False when it must not run; Kind::failed was sent then.
  [[nodiscard]] virtual bool confine(int report) const noexcept = 0;
};

void send(int report, const Report& message) noexcept;
void send(int report, Report::Kind kind, const char* text, int error = 0) noexcept;

/// A message with a descriptor.
void send_descriptor(int report, Report::Kind kind, int descriptor) noexcept;

/// The kernel's defaults for all signals, and none blocked.
void reset_signals() noexcept;

/// What a freshly forked child does. It stays as the supervisor of the program that it forks: a copy of us that never
/// calls exec, adopts all descendants (PR_SET_CHILD_SUBREAPER, or as process 1 of a PID namespace), obeys the lifeline,
/// and leaves nobody behind.
[[noreturn]] void supervise(const ChildPlan& plan) noexcept;

}  // namespace capsule::process
