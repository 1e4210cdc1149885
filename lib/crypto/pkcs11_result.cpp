#include "crypto/pkcs11_result.hpp"

#include <fmt/format.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>

namespace capsule::crypto {

namespace {

struct Known {
  CK_RV result;
  std::string_view name;
  ErrorKind kind;
  std::string_view sentence;
};

constexpr std::string_view gone = "the token is gone or does not answer; put it back and try again";
constexpr std::string_view failed = "the token or its module failed; try again";
constexpr std::string_view rights = "the key may not be used like this";

constexpr std::array known{
    Known{CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT", ErrorKind::denied, "wrong PIN; it is not tried again"},
    Known{CKR_PIN_INVALID, "CKR_PIN_INVALID", ErrorKind::denied, "wrong PIN; it is not tried again"},
    Known{CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE", ErrorKind::denied, "wrong PIN; it is not tried again"},
    Known{CKR_PIN_LOCKED, "CKR_PIN_LOCKED", ErrorKind::denied, "the PIN is locked; its security officer unlocks it"},
    Known{CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED", ErrorKind::denied, "the PIN has expired; set a new one"},
    Known{CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED", ErrorKind::denied, "the token has no PIN yet"},
    Known{CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN", ErrorKind::denied, "the token wants its PIN"},
    Known{CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED", ErrorKind::denied, rights},
    Known{CKR_ACTION_PROHIBITED, "CKR_ACTION_PROHIBITED", ErrorKind::denied, rights},
    Known{CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID", ErrorKind::usage, "the token cannot sign with such a key"},
    Known{CKR_KEY_TYPE_INCONSISTENT, "CKR_KEY_TYPE_INCONSISTENT", ErrorKind::usage, rights},
    Known{CKR_KEY_SIZE_RANGE, "CKR_KEY_SIZE_RANGE", ErrorKind::usage,
          "the token does not sign with a key of this size"},
    Known{CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED", ErrorKind::unavailable, gone},
    Known{CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT", ErrorKind::unavailable, gone},
    Known{CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR", ErrorKind::unavailable, gone},
    Known{CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID", ErrorKind::unavailable, gone},
    Known{CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED", ErrorKind::unavailable, gone},
    Known{CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID", ErrorKind::unavailable, gone},
    Known{CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID", ErrorKind::unavailable, gone},
    Known{CKR_SESSION_COUNT, "CKR_SESSION_COUNT", ErrorKind::unavailable, "the token has too many sessions"},
    Known{CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY", ErrorKind::unavailable, failed},
    Known{CKR_HOST_MEMORY, "CKR_HOST_MEMORY", ErrorKind::unavailable, failed},
    Known{CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED", ErrorKind::unavailable, failed},
    Known{CKR_FUNCTION_CANCELED, "CKR_FUNCTION_CANCELED", ErrorKind::unavailable, failed},
    Known{CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR", ErrorKind::unavailable, failed},
};

const Known* find(unsigned long result) noexcept {
  const auto* const at =
      std::find_if(known.begin(), known.end(), [result](const Known& entry) { return entry.result == result; });
  return at == known.end() ? nullptr : at;
}

}  // namespace

std::string pkcs11_result_name(unsigned long result) {
  const auto* const entry = find(result);
  return entry == nullptr ? fmt::format("CKR 0x{:x}", result) : std::string{entry->name};
}

ErrorKind pkcs11_result_kind(unsigned long result) noexcept {
  const auto* const entry = find(result);
  return entry == nullptr ? ErrorKind::unavailable : entry->kind;
}

void throw_pkcs11(std::string_view what, unsigned long result) {
  const auto* const entry = find(result);
  throw Error{pkcs11_result_kind(result),
              fmt::format("{}: {} ({})", printable(what, 1024), entry == nullptr ? failed : entry->sentence,
                          pkcs11_result_name(result))};
}

}  // namespace capsule::crypto
