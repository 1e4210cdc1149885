// Any text as a trust policy. One that is accepted answers for every role; it never trusts more keys than it names.

#include <cstdlib>

#include "attest/trust_policy.hpp"
#include "core/error.hpp"

using namespace capsule;

namespace {

void ask(const attest::TrustPolicy& policy, attest::Role role) {
  try {
    const auto signers = policy.signers(role, "m2n2-metal");
    if (policy.keys(role, "m2n2-metal").empty() || signers.threshold == 0) std::abort();
    if (signers.threshold > signers.keys.size() + signers.withdrawn.size()) std::abort();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto policy = attest::TrustPolicy::parse({reinterpret_cast<const char*>(data), size}, "fuzz", "/nonexistent");
    for (const auto role :
         {attest::Role::capsule, attest::Role::proof, attest::Role::index, attest::Role::log, attest::Role::utid}) {
      ask(policy, role);
    }
  } catch (const Error&) {
  }
  return 0;
}
