// Any text as a PKCS#11 URI: what is accepted has one canonical text, and a PIN is in no message.

#include <cstdlib>

#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"

using namespace capsule;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  try {
    const auto uri = crypto::Pkcs11Uri::parse(text);
    const auto plain = uri.text();
    if (crypto::Pkcs11Uri::parse(plain).text() != plain) std::abort();
    const auto with = crypto::Pkcs11Uri::parse(crypto::with_module(text, "/lib/a b.so"));
    if (with.module_path != (uri.module_path.empty() ? "/lib/a b.so" : uri.module_path)) std::abort();
    if (with.text() != plain || with.pin_source != uri.pin_source) std::abort();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) std::abort();
  }
  return 0;
}
