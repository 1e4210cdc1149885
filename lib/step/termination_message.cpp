#include "step/termination_message.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::step {

void write_termination_message(std::string_view message) {
  const fs::Fd fd{::open("/dev/termination-log", O_WRONLY | O_TRUNC | O_CLOEXEC)};
  if (!fd) return;
  const auto line = printable(message, 1000);
  [[maybe_unused]] const auto written = ::write(fd.get(), line.data(), line.size());
}

}  // namespace capsule::step
