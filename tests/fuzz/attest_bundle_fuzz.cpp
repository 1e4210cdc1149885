// Any text as a Sigstore bundle: it is refused with an Error, or comes out as a bundle that is written and read again
// as the same; what an envelope holds is read as a statement.

#include <cstdlib>

#include "attest/bundle.hpp"
#include "attest/statement.hpp"
#include "core/error.hpp"

using namespace capsule;

namespace {

void read_back(std::string_view text) {
  const auto bundle = attest::Bundle::parse(text, "fuzz");
  const auto again = attest::Bundle::parse(bundle.text(), "fuzz, again");
  if (again.text() != bundle.text()) std::abort();
  if (const auto* envelope = std::get_if<attest::Envelope>(&bundle.content)) {
    (void)attest::read_statement(*envelope, attest::signature_predicate);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read_back({reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
  }
  return 0;
}
