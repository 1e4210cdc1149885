#include "crypto/certificate.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssl.hpp"

namespace capsule::crypto {

namespace {

struct FreeX509 {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_STORE* store) const noexcept { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const noexcept { X509_STORE_CTX_free(context); }
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
  void operator()(EXTENDED_KEY_USAGE* usages) const noexcept { EXTENDED_KEY_USAGE_free(usages); }
  /// The certificates in it are not its own.
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_free(stack); }
};
using X509Ptr = std::unique_ptr<X509, FreeX509>;

/// Security of a signature's hash and key that is enough, in bits: what auth_level 2 stands for.
constexpr int min_security_bits = 112;
constexpr int auth_level = 2;

[[noreturn]] void refuse(std::string_view what, std::string_view reason) {
  ERR_clear_error();
  throw Error{ErrorKind::invalid_input, fmt::format("{}: {}", printable(what, 1024), reason)};
}

std::optional<Time> time_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return std::nullopt;
  return Time{std::chrono::seconds{::timegm(&fields)}};
}

ByteView view_of(const unsigned char* data, int size) {
  return std::as_bytes(std::span{data, static_cast<std::size_t>(std::max(size, 0))});
}

std::string read_common_name(X509* certificate) {
  auto* name = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  const BufferPtr<unsigned char> owner{text};
  return size < 0 ? std::string{} : std::string{as_text(view_of(text, size))};
}

std::vector<std::string> read_uris(X509* certificate, std::string_view what) {
  int found = 0;
  const std::unique_ptr<GENERAL_NAMES, FreeX509> names{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, nullptr))};
  if (!names && found != -1) refuse(what, "a malformed or repeated subjectAltName");
  std::vector<std::string> out;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const auto* text = name->d.uniformResourceIdentifier;
    out.emplace_back(as_text(view_of(ASN1_STRING_get0_data(text), ASN1_STRING_length(text))));
  }
  return out;
}

std::vector<std::string> read_usages(X509* certificate, std::string_view what) {
  int found = 0;
  const std::unique_ptr<EXTENDED_KEY_USAGE, FreeX509> usages{
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(certificate, NID_ext_key_usage, &found, nullptr))};
  if (!usages && found != -1) refuse(what, "a malformed or repeated extendedKeyUsage");
  std::vector<std::string> out;
  for (int i = 0; usages && i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    std::array<char, 256> text{};
    const int size = OBJ_obj2txt(text.data(), text.size(), sk_ASN1_OBJECT_value(usages.get(), i), 1);
    if (size > 0 && static_cast<std::size_t>(size) < text.size()) out.emplace_back(text.data());
  }
  return out;
}

/// Whether the key made the certificate's signature, and that is no weak one.
bool is_signed_by(X509* certificate, EVP_PKEY* key) {
  int bits = 0;
  const bool known = X509_get_signature_info(certificate, nullptr, nullptr, &bits, nullptr) == 1;
  const bool good = known && bits >= min_security_bits && X509_verify(certificate, key) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace

struct Certificate::Impl {
  X509Ptr certificate;
  std::string common_name;
  std::vector<std::string> uris;
  std::vector<std::string> usages;
  Digest digest;
  Digest key_digest;
};

namespace {

Certificate read_certificate(const PemBlock& block, std::string_view what) {
  if (block.label != "CERTIFICATE") refuse(what, fmt::format("holds '{}', not a certificate", printable(block.label)));
  const auto* cursor = raw(block.der);
  X509Ptr certificate{d2i_X509(nullptr, &cursor, static_cast<long>(block.der.size()))};
  if (!certificate || cursor != raw(block.der) + block.der.size()) refuse(what, "a malformed certificate");
  auto* key = X509_get0_pubkey(certificate.get());
  if (key == nullptr) refuse(what, "a certificate with a key that cannot be read");
  auto name = read_common_name(certificate.get());
  auto uris = read_uris(certificate.get(), what);
  auto usages = read_usages(certificate.get(), what);
  auto key_digest = sha256(spki_of(key));
  return Certificate{std::make_shared<Certificate::Impl>(Certificate::Impl{std::move(certificate), std::move(name),
                                                                           std::move(uris), std::move(usages),
                                                                           sha256(block.der), std::move(key_digest)})};
}

}  // namespace

std::vector<Certificate> Certificate::chain_from_pem(std::string_view pem, std::string_view what) {
  start_openssl();
  std::vector<Certificate> out;
  try {
    for (const auto& block : read_pem(as_bytes(pem), what)) out.push_back(read_certificate(block, what));
  } catch (const Error& error) {
    throw Error{ErrorKind::invalid_input, error.message()};
  }
  if (out.empty()) refuse(what, "holds no certificate");
  return out;
}

std::optional<Validity> validity_of_first(std::string_view pem) {
  start_openssl();
  const std::unique_ptr<BIO, FreeX509> in{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  const X509Ptr certificate{in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr};
  ERR_clear_error();
  if (!certificate) return std::nullopt;
  const auto from = time_of(X509_get0_notBefore(certificate.get()));
  const auto until = time_of(X509_get0_notAfter(certificate.get()));
  return from && until ? std::optional{Validity{*from, *until}} : std::nullopt;
}

const std::string& Certificate::common_name() const noexcept {
  return m_impl->common_name;
}
const std::vector<std::string>& Certificate::uris() const noexcept {
  return m_impl->uris;
}
const Digest& Certificate::digest() const noexcept {
  return m_impl->digest;
}
const Digest& Certificate::key_digest() const noexcept {
  return m_impl->key_digest;
}

bool Certificate::is_for(std::string_view usage) const {
  return std::find(m_impl->usages.begin(), m_impl->usages.end(), usage) != m_impl->usages.end();
}

bool Certificate::is_self_signed() const {
  auto* certificate = m_impl->certificate.get();
  const bool out = X509_verify(certificate, X509_get0_pubkey(certificate)) == 1;
  ERR_clear_error();
  return out;
}

namespace {

/// The chain with `top` as what is trusted: its signature was checked with a trusted key.
std::optional<std::string> fault_below(std::span<const Certificate> chain, const Certificate& top, Time at) {
  const auto store = checked(std::unique_ptr<X509_STORE, FreeX509>{X509_STORE_new()}, "make a certificate store");
  check(X509_STORE_add_cert(store.get(), top.impl().certificate.get()), "add a certificate");
  const auto above =
      checked(std::unique_ptr<STACK_OF(X509), FreeX509>{sk_X509_new_null()}, "make a list of certificates");
  for (const auto& one : chain.subspan(1)) {
    if (sk_X509_push(above.get(), one.impl().certificate.get()) == 0) throw_openssl("add a certificate");
  }
  const auto context =
      checked(std::unique_ptr<X509_STORE_CTX, FreeX509>{X509_STORE_CTX_new()}, "make a certificate context");
  check(X509_STORE_CTX_init(context.get(), store.get(), chain.front().impl().certificate.get(), above.get()),
        "begin a certificate check");
  auto* parameters = X509_STORE_CTX_get0_param(context.get());
  check(X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN), "set the rules for certificates");
  X509_VERIFY_PARAM_set_time(parameters,
                             std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
  X509_VERIFY_PARAM_set_auth_level(parameters, auth_level);
  if (X509_verify_cert(context.get()) == 1) return std::nullopt;
  const auto code = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return fmt::format("{} (certificate {} of the chain)", X509_verify_cert_error_string(code),
                     X509_STORE_CTX_get_error_depth(context.get()) + 1);
}

}  // namespace

std::optional<std::string> chain_fault(std::span<const Certificate> chain, std::span<const PublicKey> trusted,
                                       Time at) {
  std::optional<std::string> fault = "it leads to no key that is trusted";
  for (const auto& one : chain) {
    const bool is_top = std::any_of(trusted.begin(), trusted.end(), [&](const PublicKey& key) {
      return is_signed_by(one.impl().certificate.get(), key.impl().key.get());
    });
    if (!is_top) continue;
    fault = fault_below(chain, one, at);
    if (!fault) return std::nullopt;
  }
  return fault;
}

}  // namespace capsule::crypto
