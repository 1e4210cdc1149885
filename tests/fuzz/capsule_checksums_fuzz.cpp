// A checksum list: what is accepted is written again as it was, and finds its lines.
#include <cstdlib>

#include "capsule/checksum_list.hpp"
#include "core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  try {
    const auto list = capsule::ChecksumList::parse(text);
    if (list.text() != text) std::abort();
    for (const auto& line : list.lines()) {
      if (list.find(line.path.text()) != &line.digest) std::abort();
    }
  } catch (const capsule::Error& error) {
    if (error.kind() != capsule::ErrorKind::invalid_input) std::abort();
  }
  return 0;
}
