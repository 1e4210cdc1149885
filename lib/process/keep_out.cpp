#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "process/process.hpp"

namespace capsule::process {

namespace {

bool has_user_namespaces() noexcept {
  const pid_t child = ::_Fork();
  if (child == 0) ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 1;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && status == 0;
}

}  // namespace

bool keep_others_out() noexcept {
  if (::geteuid() == 0 || has_user_namespaces()) return false;
  // /proc/<pid> is then root's, and no process without a capability can trace this one. A program that is started is
  // another matter: exec makes it as it was.
  return ::prctl(PR_SET_DUMPABLE, 0) == 0;
}

}  // namespace capsule::process
