#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/digest.hpp"
#include "core/stream.hpp"

namespace capsule::oci {

/// A blob that can be read more than once and from any byte on, so that a transfer can begin anew or go on.
struct BlobContent {
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
  std::function<std::unique_ptr<Source>(std::uint64_t offset)> open{};
  /// Who holds the bytes against the digest: whoever sends them, too; or the registry alone, because the same bytes are
  /// hashed elsewhere before anything names them.
  enum class Check { sender, registry };
  Check check = Check::sender;
};

}  // namespace capsule::oci
