#include "step/boundary.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "core/error.hpp"

namespace capsule::step {

namespace {

/// More than any exception takes.
constexpr std::size_t room_for_an_exception = std::size_t{64} << 10U;

bool is_out_of_memory() noexcept {
  if (const auto exception = std::current_exception()) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
      return true;
    } catch (const std::system_error&) {
      return true;
    } catch (...) {
      return false;
    }
  }
  // Without an exception: there was no memory to make one.
  void* memory = std::malloc(room_for_an_exception);  // NOLINT(cppcoreguidelines-no-malloc): it must not throw
  std::free(memory);                                  // NOLINT(cppcoreguidelines-no-malloc)
  return memory == nullptr;
}

/// Allocates nothing.
void say(std::string_view text) noexcept {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

[[noreturn]] void end() noexcept {
  const bool out_of_memory = is_out_of_memory();
  say(program_invocation_short_name);
  say(out_of_memory ? ": error: out of memory: give the step more, then try again\n"
                    : ": error: a bug in this program, please report it: an exception that nobody catches\n");
  ::_exit(out_of_memory ? exit_code(ErrorKind::unavailable) : 1);
}

/// Before main, and before everything else that is made there: it may fail as well.
[[gnu::constructor(101)]] void end_in_order() noexcept {
  std::set_terminate(end);
}

}  // namespace

void occupy_standard_streams() noexcept {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest number that is free is this one. The wrong direction: what is read or written fails as before.
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace capsule::step
