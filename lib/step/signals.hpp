#pragma once

#include <string>

namespace capsule::step {

/// From now on a thread waits for SIGTERM, SIGINT and SIGHUP: it says so in one line on stderr and in the termination
/// message of a pod (else a step that Argo stops, or a node that is drained, shows nothing), runs the termination
/// actions, removes temporaries, and lets the process die of that signal, so that the shell and Argo see what happened.
/// SIGPIPE and SIGXFSZ are ignored: a closed pipe, or a file beyond a limit, is an error of write. Call before any
/// other thread starts.
void end_on_signals();

/// What a signal that ends the process leaves, and what to do: the end of that line, "ended by SIGTERM: …". By default
/// that nothing half-written is left. Empty: no line, for a server, which is meant to be ended so.
void words_on_termination(std::string text);

/// For a thread that has failed: does not return once a signal ends the process. What fails then, fails because of it
/// (children are ended, a Lease is given back), and would be the last line in place of the reason.
void leave_it_to_the_signal() noexcept;

}  // namespace capsule::step
