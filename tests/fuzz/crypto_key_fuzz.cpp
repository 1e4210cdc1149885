// Any text as a PEM public key, and any bytes as a signature.

#include <cstdlib>

#include "core/error.hpp"
#include "crypto/key.hpp"

using namespace capsule;

namespace {

const crypto::PublicKey& key() {
  static const auto the_key =
      crypto::PublicKey::from_der(from_hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
                                           "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                           "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
                                  "the key of RFC 6979");
  return the_key;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  (void)key().verify(as_bytes("sample"), as_bytes(text));
  try {
    const auto read = crypto::PublicKey::from_pem(text, "fuzz");
    if (crypto::PublicKey::from_pem(read.to_pem(), "fuzz, again").id() != read.id()) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
