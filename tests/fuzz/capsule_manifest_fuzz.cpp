// A manifest: accepted or refused, and what is accepted names a file that can exist.
#include <cstdlib>

#include "capsule/manifest.hpp"
#include "core/error.hpp"
#include "core/semver.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto manifest = capsule::parse_manifest({reinterpret_cast<const char*>(data), size});
    if (!capsule::is_name(manifest.name) || !capsule::is_version(manifest.version)) std::abort();
    if (capsule::package_file_name(manifest).find('/') != std::string::npos) std::abort();
    static_cast<void>(manifest.architecture());
  } catch (const capsule::Error& error) {
    if (error.kind() != capsule::ErrorKind::invalid_input) std::abort();
  }
  return 0;
}
