#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"

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
  std::optional<std::chrono::milliseconds> time_limit;
  std::size_t output_limit =
      std::size_t{16} << 20U;  ///< bytes of stdout and of stderr that are kept; a child that writes more is ended
  std::function<void(std::string_view line)> on_error_line;   ///< each line of stderr as it comes
  std::function<void(std::string_view line)> on_output_line;  ///< each line of stdout as it comes
  std::shared_ptr<const Confinement> confinement;
};

enum class End { exited, signalled, timed_out, output_limit };

struct Usage {
  std::chrono::milliseconds cpu{};  ///< user + system
  std::uint64_t max_rss_bytes = 0;
  std::chrono::milliseconds wall{};
};

struct Result {
  End end = End::exited;
  int exit_code = 0;  ///< of End::exited
  int signal = 0;     ///< of End::signalled
  std::string output;
  std::string error_output;
  Usage usage;

  [[nodiscard]] bool succeeded() const noexcept { return end == End::exited && exit_code == 0; }
  /// "exit code 3", "signal 9 (Killed)", "over its time limit", …
  [[nodiscard]] std::string describe() const;
};

/// Runs a command to its end. The child gets a process group of its own; at a limit all of the group is killed, and
/// none is left behind when this returns. Error not_found or denied when it cannot be started.
Result run(const Command& command);

/// A child that goes on by itself (a server that a step starts): ended with its group when this goes.
class Background {
 public:
  explicit Background(const Command& command);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();
  /// The first line of its stdout, waited for up to `patience`; Error timed_out, or capsule_failed with its last words
  /// when it ended.
  std::string first_line(std::chrono::milliseconds patience);
  [[nodiscard]] int pid() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Kills every child group that is running now: for the thread that handles signals (step::on_termination).
void kill_all() noexcept;

}  // namespace capsule::process
