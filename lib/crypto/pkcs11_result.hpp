#pragma once

// Private to this module: what a PKCS#11 module's return values mean to a caller.

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace capsule::crypto {

/// "CKR_PIN_INCORRECT", or "CKR 0x…" for one that has no name here.
std::string pkcs11_result_name(unsigned long result);

/// denied (PIN, login, rights), usage (the token cannot do this with this key), else unavailable: it was removed, does
/// not answer, or says no more than that it failed.
ErrorKind pkcs11_result_kind(unsigned long result) noexcept;

/// The Error that a return value stands for: "<what>: <sentence> (CKR_…)".
[[noreturn]] void throw_pkcs11(std::string_view what, unsigned long result);

}  // namespace capsule::crypto
