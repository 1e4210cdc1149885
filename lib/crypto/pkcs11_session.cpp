#include <fmt/format.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "crypto/pkcs11.hpp"
#include "crypto/pkcs11_result.hpp"

namespace capsule::crypto {

namespace {

constexpr std::size_t max_objects = 4096;
constexpr CK_ULONG max_attribute = 16384;  // bytes; the modulus of the largest RSA key has 1024

void check(CK_RV result, std::string_view doing) {
  if (result != CKR_OK) throw_pkcs11(doing, result);
}

/// A field of fixed size, padded with blanks.
template <std::size_t size>
std::string trimmed(const unsigned char (&field)[size]) {  // NOLINT(modernize-avoid-c-arrays): PKCS#11's own
  std::string out{reinterpret_cast<const char*>(field), size};
  out.erase(std::find(out.begin(), out.end(), '\0'), out.end());
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::optional<std::string> unless_empty(std::string text) {
  return text.empty() ? std::nullopt : std::optional{std::move(text)};
}

bool fits(const std::optional<std::string>& wanted, const std::optional<std::string>& found) {
  return !wanted || wanted == found;
}

bool fits(const Pkcs11Uri& uri, const Pkcs11Uri& token, CK_SLOT_ID slot) {
  return fits(uri.token, token.token) && fits(uri.manufacturer, token.manufacturer) && fits(uri.model, token.model) &&
         fits(uri.serial, token.serial) && (!uri.slot_id || *uri.slot_id == slot);
}

TokenObject::Kind kind_of(CK_ULONG type) noexcept {
  switch (type) {
    case CKK_EC:
      return TokenObject::Kind::ec;
    case CKK_RSA:
      return TokenObject::Kind::rsa;
    case CKK_EC_EDWARDS:
      return TokenObject::Kind::edwards;
    default:
      return TokenObject::Kind::other;
  }
}

CK_MECHANISM_TYPE number_of(TokenMechanism mechanism) noexcept {
  switch (mechanism) {
    case TokenMechanism::ecdsa:
      return CKM_ECDSA;
    case TokenMechanism::rsa_pkcs1:
      return CKM_RSA_PKCS;
    case TokenMechanism::eddsa:
      return CKM_EDDSA;
  }
  return CKM_ECDSA;
}

/// PKCS#11 takes what it only reads through pointers that are not const.
unsigned char* writable(ByteView bytes) noexcept {
  return reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
}

std::vector<CK_SLOT_ID> slots_with_token(const CK_FUNCTION_LIST& functions) {
  std::vector<CK_SLOT_ID> slots;
  CK_ULONG count = 0;
  // A token can appear between the two calls.
  for (CK_RV result = CKR_BUFFER_TOO_SMALL; result == CKR_BUFFER_TOO_SMALL;) {
    check(functions.C_GetSlotList(CK_TRUE, nullptr, &count), "list the tokens");
    slots.resize(count);
    result = functions.C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (result != CKR_BUFFER_TOO_SMALL) check(result, "list the tokens");
  }
  slots.resize(count);
  return slots;
}

Pkcs11Uri described(const CK_TOKEN_INFO& info) {
  Pkcs11Uri out;
  out.token = unless_empty(trimmed(info.label));
  out.manufacturer = unless_empty(trimmed(info.manufacturerID));
  out.model = unless_empty(trimmed(info.model));
  out.serial = unless_empty(trimmed(info.serialNumber));
  return out;
}

struct FoundToken {
  CK_SLOT_ID slot = 0;
  Pkcs11Uri token;
  CK_FLAGS flags = 0;
};

std::string names_of(const std::vector<FoundToken>& tokens) {
  std::string out;
  for (const auto& found : tokens) out += fmt::format("{}{}", out.empty() ? "" : ", ", found.token.text());
  return out.empty() ? "none" : printable(out, 2048);
}

FoundToken choose_token(const CK_FUNCTION_LIST& functions, const Pkcs11Uri& uri) {
  std::vector<FoundToken> all;
  std::vector<FoundToken> fitting;
  for (const auto slot : slots_with_token(functions)) {
    CK_TOKEN_INFO info{};
    if (functions.C_GetTokenInfo(slot, &info) != CKR_OK) continue;  // removed since, or not readable: not ours
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    all.push_back({slot, described(info), info.flags});
    if (fits(uri, all.back().token, slot)) fitting.push_back(all.back());
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.empty()) {
    throw Error{ErrorKind::not_found,
                fmt::format("{}: no token fits; tokens there: {}", printable(uri.text(), 1024), names_of(all))};
  }
  throw Error{ErrorKind::usage, fmt::format("{}: more than one token fits, name one of them: {}",
                                            printable(uri.text(), 1024), names_of(fitting))};
}

}  // namespace

TokenSession::TokenSession(const Pkcs11Uri& uri) {
  if (uri.module_path.empty()) {
    throw Error{ErrorKind::usage,
                "a pkcs11: key needs the vendor's PKCS#11 module: give --pkcs11-module PATH, CAPSULE_PKCS11_MODULE or "
                "module-path in the URI"};
  }
  m_module = Pkcs11Module::load(uri.module_path);
  open(uri);
}

void TokenSession::open(const Pkcs11Uri& uri) {
  const auto& functions = m_module->functions();
  const auto found = choose_token(functions, uri);
  m_token = found.token;
  m_slot = found.slot;
  m_has_pin_pad = (found.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
  check(functions.C_OpenSession(m_slot, CKF_SERIAL_SESSION, nullptr, nullptr, &m_session), m_token.text());
}

TokenSession::~TokenSession() {
  (void)m_module->functions().C_CloseSession(m_session);
}

void TokenSession::enter_pin(unsigned long user, const std::optional<Secret>& pin) const {
  const auto text = pin ? pin->reveal() : std::string_view{};
  const auto result =
      m_module->functions().C_Login(m_session, user, pin ? writable(as_bytes(text)) : nullptr, text.size());
  if (result == CKR_USER_ALREADY_LOGGED_IN && user == CKU_USER) return;  // by another session of ours
  check(result, m_token.text());
}

void TokenSession::login(const std::optional<Secret>& pin) {
  CK_TOKEN_INFO info{};
  check(m_module->functions().C_GetTokenInfo(m_slot, &info), m_token.text());
  if ((info.flags & CKF_USER_PIN_LOCKED) != 0) throw_pkcs11(m_token.text(), CKR_PIN_LOCKED);
  enter_pin(CKU_USER, pin);
}

std::vector<TokenObject> TokenSession::find(Pkcs11Uri::Type type, const Pkcs11Uri& uri) const {
  const auto& functions = m_module->functions();
  CK_OBJECT_CLASS wanted = type == Pkcs11Uri::Type::private_key ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
  std::vector<CK_ATTRIBUTE> search{{CKA_CLASS, &wanted, sizeof wanted}};
  if (uri.object) search.push_back({CKA_LABEL, writable(as_bytes(*uri.object)), uri.object->size()});
  if (uri.id) search.push_back({CKA_ID, writable(as_bytes(*uri.id)), uri.id->size()});
  check(functions.C_FindObjectsInit(m_session, search.data(), search.size()), m_token.text());
  std::vector<CK_OBJECT_HANDLE> handles(max_objects);
  CK_ULONG total = 0;
  CK_RV result = CKR_OK;
  for (CK_ULONG count = 1; result == CKR_OK && count > 0 && total < max_objects; total += count) {
    count = 0;
    result = functions.C_FindObjects(m_session, &handles[total], max_objects - total, &count);
    count = std::min<CK_ULONG>(count, max_objects - total);
  }
  (void)functions.C_FindObjectsFinal(m_session);
  check(result, m_token.text());
  std::vector<TokenObject> out;
  for (CK_ULONG i = 0; i < total; ++i) out.push_back(describe(handles[i], type));
  return out;
}

std::optional<Bytes> TokenSession::attribute(const TokenObject& object, unsigned long type) const {
  const auto& functions = m_module->functions();
  CK_ATTRIBUTE wanted{type, nullptr, 0};
  const auto result = functions.C_GetAttributeValue(m_session, object.handle, &wanted, 1);
  if (result == CKR_ATTRIBUTE_TYPE_INVALID || result == CKR_ATTRIBUTE_SENSITIVE) return std::nullopt;
  check(result, m_token.text());
  if (wanted.ulValueLen == CK_UNAVAILABLE_INFORMATION || wanted.ulValueLen > max_attribute) return std::nullopt;
  Bytes value(wanted.ulValueLen);
  wanted.pValue = value.data();
  check(functions.C_GetAttributeValue(m_session, object.handle, &wanted, 1), m_token.text());
  value.resize(std::min<std::size_t>(value.size(), wanted.ulValueLen));
  return value;
}

TokenObject TokenSession::describe(unsigned long handle, Pkcs11Uri::Type type) const {
  TokenObject out;
  out.handle = handle;
  out.is_private = type == Pkcs11Uri::Type::private_key;
  if (const auto kind = attribute(out, CKA_KEY_TYPE); kind && kind->size() == sizeof(CK_ULONG)) {
    CK_ULONG number = 0;
    std::copy(kind->begin(), kind->end(), std::as_writable_bytes(std::span{&number, 1}).begin());
    out.kind = kind_of(number);
  }
  out.label = as_text(attribute(out, CKA_LABEL).value_or(Bytes{}));
  out.id = as_text(attribute(out, CKA_ID).value_or(Bytes{}));
  return out;
}

PublicParts TokenSession::public_parts(const TokenObject& object) const {
  const auto read = [&](unsigned long type) { return attribute(object, type).value_or(Bytes{}); };
  PublicParts out;
  if (object.kind == TokenObject::Kind::rsa) {
    out.modulus = read(CKA_MODULUS);
    out.exponent = read(CKA_PUBLIC_EXPONENT);
  } else {
    out.curve = read(CKA_EC_PARAMS);
    out.point = read(CKA_EC_POINT);
  }
  out.info = read(CKA_PUBLIC_KEY_INFO);
  return out;
}

bool TokenSession::wants_pin_each_time(const TokenObject& object) const {
  const auto value = attribute(object, CKA_ALWAYS_AUTHENTICATE);
  return value && value->size() == 1 && value->front() != std::byte{CK_FALSE};
}

Bytes TokenSession::sign(const TokenObject& key, TokenMechanism mechanism, ByteView data,
                         const std::optional<Secret>& pin) const {
  const auto& functions = m_module->functions();
  CK_MECHANISM how{number_of(mechanism), nullptr, 0};
  const bool asks_again = wants_pin_each_time(key);
  check(functions.C_SignInit(m_session, &how, key.handle), m_token.text());
  if (asks_again) enter_pin(CKU_CONTEXT_SPECIFIC, pin);
  Bytes signature(max_attribute);
  CK_ULONG size = signature.size();
  check(functions.C_Sign(m_session, writable(data), data.size(), reinterpret_cast<unsigned char*>(signature.data()),
                         &size),
        m_token.text());
  signature.resize(std::min<std::size_t>(size, signature.size()));
  return signature;
}

}  // namespace capsule::crypto
