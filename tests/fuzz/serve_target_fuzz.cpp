// Any text as a request target: what is accepted has a path without NUL, and no key twice.

#include <cstdint>
#include <cstdlib>

#include "serve/message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto target = capsule::serve::parse_target({reinterpret_cast<const char*>(data), size});
  if (!target) return 0;
  if (target->path.empty() || target->path.front() != '/' || target->path.find('\0') != std::string::npos) std::abort();
  if (target->query.size() > 64) std::abort();
  return 0;
}
