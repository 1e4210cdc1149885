// Any text as a DSSE envelope; one that is accepted is written and read again, and its signature checked.

#include <cstdlib>

#include "attest/dsse.hpp"
#include "core/error.hpp"
#include "json/write.hpp"

using namespace capsule;

namespace {

const crypto::PublicKey& key() {
  static const auto the_key = crypto::PublicKey::from_pem(
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n-----END PUBLIC "
      "KEY-----\n",
      "the key of RFC 8032");
  return the_key;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto envelope = attest::parse_envelope({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (attest::verify_envelope(envelope, key())) std::abort();  // a fuzzer cannot sign
    const auto text = json::compact(attest::to_json(envelope));
    if (json::compact(attest::to_json(attest::parse_envelope(text, "fuzz, again"))) != text) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
