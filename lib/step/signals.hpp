#pragma once

namespace capsule::step {

/// From now on a thread waits for SIGTERM, SIGINT and SIGHUP: it runs the termination actions, removes temporaries, and
/// lets the process die of that signal, so that the shell and Argo see what happened. SIGPIPE and SIGXFSZ are ignored:
/// a closed pipe, or a file beyond a limit, is an error of write. Call before any other thread starts.
void end_on_signals();

}  // namespace capsule::step
