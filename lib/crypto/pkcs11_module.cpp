#include <dlfcn.h>
#include <fmt/format.h>
#include <p11-kit/pkcs11.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "core/error.hpp"
#include "crypto/openssl.hpp"
#include "crypto/pkcs11.hpp"
#include "crypto/pkcs11_result.hpp"

namespace capsule::crypto {

namespace {

[[noreturn]] void refuse(ErrorKind kind, const std::string& path, std::string_view reason) {
  throw Error{kind, fmt::format("the PKCS#11 module {}: {}", printable(path, 1024), reason)};
}

CK_C_GetFunctionList entry_of(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    refuse(ErrorKind::not_found, path, "there is no such file; name the vendor's library with --pkcs11-module PATH");
  }
  if (!std::filesystem::is_regular_file(status)) refuse(ErrorKind::usage, path, "is no regular file");
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps it per thread
    refuse(ErrorKind::usage, path,
           fmt::format("cannot be loaded: {}", printable(reason == nullptr ? "?" : reason, 1024)));
  }
  void* const entry = ::dlsym(library, "C_GetFunctionList");
  if (entry == nullptr) refuse(ErrorKind::usage, path, "is no PKCS#11 module (it has no C_GetFunctionList)");
  return reinterpret_cast<CK_C_GetFunctionList>(entry);
}

}  // namespace

Pkcs11Module::Pkcs11Module(const std::string& path) {
  start_openssl();  // some modules use libcrypto too: it is started our way, before theirs
  const auto entry = entry_of(path);
  if (const auto result = entry(&m_functions); result != CKR_OK || m_functions == nullptr) {
    refuse(ErrorKind::unavailable, path, fmt::format("gives no functions ({})", pkcs11_result_name(result)));
  }
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  if (const auto result = m_functions->C_Initialize(&arguments);
      result != CKR_OK && result != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    refuse(ErrorKind::unavailable, path,
           fmt::format("cannot start ({}): does it find its configuration?", pkcs11_result_name(result)));
  }
}

Pkcs11Module::~Pkcs11Module() {
  (void)m_functions->C_Finalize(nullptr);
}

std::shared_ptr<const Pkcs11Module> Pkcs11Module::load(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const Pkcs11Module>> loaded;
  const std::lock_guard lock{mutex};
  auto& known = loaded[path];
  auto module = known.lock();
  if (!module) known = module = std::shared_ptr<const Pkcs11Module>{new Pkcs11Module{path}};
  return module;
}

}  // namespace capsule::crypto
