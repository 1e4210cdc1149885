#pragma once

#include <array>
#include <string>
#include <string_view>

#include "workflow/executor.hpp"

namespace capsule::workflow {

/// What a step that is given a key on a token needs of our environment: where the vendor's module is, the PIN, and
/// where such modules have their configuration.
inline constexpr std::array token_variables{"CAPSULE_PKCS11_MODULE", "CAPSULE_PKCS11_PIN", "SOFTHSM2_CONF",
                                            "YUBIHSM_PKCS11_CONF"};

/// Whether a step is given a key on a token: an argument, `--option=` before it or not, or a variable is a pkcs11: URI.
/// All other steps see none of `token_variables`.
bool names_token_key(const StepCommand& command);

/// A module is code that a step's program loads, so a workflow does not choose it: Error usage where an argument or a
/// variable of the step names another one than `module`, that of our own environment (empty: none).
void check_module(const StepCommand& command, std::string_view module);

}  // namespace capsule::workflow
