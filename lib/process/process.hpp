#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace capsule::process {

/// What a child may do beyond being a program; nothing by default. See confinement.hpp for what each means and for what
/// was not to be had.
struct Confinement;

/// One command: a list of arguments (never a shell), a chosen environment, limits.
struct Command {
  std::string program;                             ///< path; never looked up in PATH
  std::vector<std::string> arguments;              ///< without argv[0]
  std::map<std::string, std::string> environment;  ///< all of it: nothing is inherited
  std::string folder;                              ///< working folder; empty: the caller's
  std::string input;                               ///< what the child reads from stdin; then end of file
  bool input_later = false;                        ///< instead of `input`: stdin waits for Background::feed()
  std::optional<std::chrono::milliseconds> time_limit;
  /// Between SIGTERM and SIGKILL when the command has to end; zero: SIGKILL at once.
  std::chrono::milliseconds grace{200};
  std::size_t output_limit =
      std::size_t{16} << 20U;  ///< bytes of stdout and of stderr that are kept; a child that writes more is ended
  /// Each line of stderr as it comes, without its end; one longer than 64 KiB comes in pieces. Called on the thread of
  /// run(), or of the Background.
  std::function<void(std::string_view line)> on_error_line;
  std::function<void(std::string_view line)> on_output_line;  ///< the same for stdout
  std::shared_ptr<const Confinement> confinement;
  /// Lets a process go on that start_detached() started below this command, when the command ends by itself (exit).
  bool spares_detached = false;
};

enum class End { exited, signalled, timed_out, output_limit, memory_limit, process_limit, disk_limit, volume_limit };

/// What can take no more: a disk (less than the reserve is left), or a folder that may hold only so much.
struct Full {
  std::string folder;      ///< on that disk, or itself
  std::uint64_t used = 0;  ///< bytes
  std::uint64_t size = 0;  ///< bytes
};

struct Usage {
  std::chrono::milliseconds cpu{};  ///< user + system, of the command and all its descendants
  std::uint64_t max_rss_bytes = 0;  ///< of the largest of them; never less than what the caller had when it forked
  std::chrono::milliseconds wall{};
};

struct Result {
  End end = End::exited;
  int exit_code = 0;  ///< of End::exited
  int signal = 0;     ///< of End::signalled
  std::string output;
  std::string error_output;
  Usage usage;
  std::chrono::steady_clock::time_point last_output_at;  ///< when the last of stdout came
  std::chrono::steady_clock::time_point ended_at;  ///< when nothing of it was left; tidying up namespaces comes after
  std::optional<std::uint64_t> memory_limit;       ///< of the confinement: bytes
  std::optional<std::uint64_t> process_limit;      ///< of the confinement: processes of its own at a time
  std::optional<Full> full;                        ///< of End::disk_limit and End::volume_limit
  std::vector<std::string> held;                   ///< the parts of the confinement that were in force, by name
  std::vector<std::string> missing;                ///< those that were not to be had: "name: reason"

  [[nodiscard]] bool succeeded() const noexcept { return end == End::exited && exit_code == 0; }
  /// "exit code 3", "signal 9 (Killed)", "over its time limit", …
  [[nodiscard]] std::string describe() const;
};

/// Runs a command to its end. The child gets a session and process group of its own, no signal mask, no file descriptor
/// but 0 to 2. At a limit all of it is ended; when this returns, no descendant is left, not even one that daemonised.
/// When the caller dies, however it does, its children die too. Error not_found or denied when it cannot be started.
Result run(const Command& command);

/// A child that goes on by itself (a server that a step starts): ended with all its descendants when this goes.
class Background {
 public:
  /// What becomes of output beyond the limit: its beginning is forgotten, or the command is ended.
  enum class BeyondLimit { forget, end };
  /// Returns when the program is running. Errors as run().
  explicit Background(const Command& command, BeyondLimit beyond_limit = BeyondLimit::forget);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();
  /// The first line of its stdout, waited for up to `patience`; Error timed_out, or capsule_failed with its last words
  /// when it ended.
  std::string first_line(std::chrono::milliseconds patience);
  [[nodiscard]] int pid() const noexcept;  ///< of the program itself
  /// With Command::input_later, once: what the child reads from stdin, then end of file. Waits up to `patience` for a
  /// child that does not read; what it has not taken by then is dropped.
  void feed(std::string_view text, std::chrono::milliseconds patience);
  /// Whether it has ended, waited for up to `patience`.
  [[nodiscard]] bool has_ended(std::chrono::milliseconds patience);
  /// Ends it, and gives what it left.
  Result stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Starts a program that goes on when the caller ends, in a session of its own: stdin empty, stdout and stderr appended
/// to the file `log`, working folder `/` unless the command names one. Of the command, program, arguments, environment
/// and folder count. Errors as run().
void start_detached(const Command& command, const std::string& log);

/// Ends every command that is running now, in any thread, and waits up to a second for them: for the thread that
/// handles signals (step::on_termination). The process is about to die: run() does not return any more.
void kill_all() noexcept;

/// As process 1 one gets the children of whoever died. Takes the statuses of those that have ended, and leaves those of
/// the commands above to them; returns how many. Every child must be one of those commands. From any thread.
unsigned reap_adopted() noexcept;

/// Where capsule code runs as the same user and cannot be kept apart by namespaces (no user namespace is to be had):
/// keeps it from reading and changing this process and the supervisors, through which it would get around its own
/// confinement. Returns whether it was needed.
bool keep_others_out() noexcept;

}  // namespace capsule::process
