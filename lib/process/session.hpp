#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "fs/fd.hpp"
#include "process/cgroup_memory.hpp"
#include "process/disk_watch.hpp"
#include "process/line_buffer.hpp"
#include "process/process.hpp"
#include "process/supervisor.hpp"
#include "process/volume_watch.hpp"
#include "process/way_out.hpp"

namespace capsule::process {

/// One running command: the caller's ends of its pipes. Begins in the constructor; wait() serves the pipes to the end.
class Session {
 public:
  /// What becomes of output beyond the limit: it ends the command, or its beginning is forgotten.
  enum class BeyondLimit { end, forget };

  /// Returns when the program runs. Errors as run(). `command` must outlive this.
  explicit Session(const Command& command, BeyondLimit beyond_limit = BeyondLimit::end);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { shut(); }

  Result wait();
  [[nodiscard]] int pid() const noexcept { return m_program; }
  /// Ends the command (SIGTERM, grace, SIGKILL); wait() then returns. From any thread.
  void request_end() const noexcept { send_order(m_lifeline.get(), Order::terminate); }
  /// Background::feed(), while another thread is in wait().
  void feed(std::string_view text, std::chrono::milliseconds patience);

 private:
  using Clock = std::chrono::steady_clock;
  struct Stream {
    fs::Fd fd;
    std::string* kept;
    LineBuffer lines;
  };

  void watch_room();
  void launch();
  void shut() noexcept;
  void end_because(End reason);
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] int milliseconds_to_wait() const;
  void poll_once();
  void check_time();
  void check_room();
  [[nodiscard]] std::optional<Full> full_disk() const;
  void feed_input();
  void drain(Stream& stream);
  void keep(Stream& stream, std::string_view text);
  void read_report();
  void take(const Report& report, fs::Fd descriptor);
  [[noreturn]] void throw_failure() const;
  Result finish();

  const Command& m_command;
  BeyondLimit m_beyond_limit;
  std::unique_ptr<const ChildSetup> m_setup;
  std::optional<DiskWatch> m_disk;
  std::optional<VolumeWatch> m_volume;
  Clock::time_point m_room_seen_at;
  std::uint64_t m_cgroup_kills = cgroup_kills();
  fs::Fd m_input;
  fs::Fd m_later_input;  ///< instead of m_input: wait() leaves it alone
  fs::Fd m_report;
  fs::Fd m_lifeline;
  std::unique_ptr<Gate> m_gate;
  int m_supervisor = -1;
  int m_program = -1;
  Result m_result;
  Stream m_output;
  Stream m_error;
  std::string_view m_unfed;
  Clock::time_point m_start;
  Clock::time_point m_ended_at;
  bool m_ended = false;   ///< the supervisor's last word has come, or its end
  int m_status = 0;       ///< wait status of the program
  bool m_ending = false;  ///< an end was asked for, because of a limit
  End m_reason = End::exited;
  Clock::time_point m_end_asked_at;
  std::string m_failure;  ///< what could not be done before exec
  int m_failure_errno = 0;
};

}  // namespace capsule::process
