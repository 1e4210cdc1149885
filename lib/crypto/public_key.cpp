#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssl.hpp"
#include "fs/fd.hpp"

namespace capsule::crypto {

namespace {

constexpr std::string_view accepted_kinds = "accepted are ECDSA P-256 and P-384, RSA of 2048 to 8192 bits, and Ed25519";

[[noreturn]] void refuse(std::string_view what, std::string_view reason) {
  ERR_clear_error();
  throw Error{ErrorKind::usage, fmt::format("{}: {}", printable(what, 1024), reason)};
}

std::string curve_of(EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name.data(), name.size(), &size) != 1) return "?";
  return name.data();
}

KeyType accepted_curve(EVP_PKEY* key, std::string_view what) {
  const auto curve = curve_of(key);
  // A named curve and an uncompressed point have one length; explicit parameters and compressed points have others.
  if (curve == "prime256v1" && spki_of(key).size() == 91) return KeyType::ecdsa_p256;
  if (curve == "secp384r1" && spki_of(key).size() == 120) return KeyType::ecdsa_p384;
  refuse(what, fmt::format("an elliptic curve key of the form '{}' is not accepted; {}", printable(curve, 40),
                           accepted_kinds));
}

KeyType accepted_rsa(EVP_PKEY* key, std::string_view what) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < 2048 || bits > 8192) {
    refuse(what, fmt::format("an RSA key of {} bits is not accepted; {}", bits, accepted_kinds));
  }
  BIGNUM* number = nullptr;
  check(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &number), "read an RSA exponent");
  const NumberPtr exponent{number};
  if (BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1 || BN_num_bits(exponent.get()) > 32) {
    refuse(what, "an RSA key with this public exponent is not accepted");
  }
  return KeyType::rsa;
}

PublicKey make_public(KeyPtr key, std::string_view what) {
  auto impl = std::make_shared<PublicKey::Impl>();
  impl->type = accepted_type(key.get(), what);
  impl->spki = spki_of(key.get());
  impl->id = to_base64(from_hex(sha256(impl->spki).hex()));
  impl->key = std::move(key);
  return PublicKey{std::move(impl)};
}

bool verify_ed25519(EVP_PKEY* key, ByteView message, ByteView signature) {
  const auto context = checked(DigestContextPtr{EVP_MD_CTX_new()}, "make a verifier");
  check(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key), "begin a verification");
  return EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message), message.size()) == 1;
}

bool verify_hash(const PublicKey::Impl& key, ByteView hash, ByteView signature) {
  const auto context = checked(KeyContextPtr{EVP_PKEY_CTX_new(key.key.get(), nullptr)}, "make a verifier");
  check(EVP_PKEY_verify_init(context.get()), "begin a verification");
  if (key.type == KeyType::rsa) {
    check(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), "choose a padding");
  }
  check(EVP_PKEY_CTX_set_signature_md(context.get(), method_for(key.type)), "choose a digest");
  return EVP_PKEY_verify(context.get(), raw(signature), signature.size(), raw(hash), hash.size()) == 1;
}

}  // namespace

std::string_view name_of(KeyType type) noexcept {
  switch (type) {
    case KeyType::ecdsa_p256:
      return "ecdsa-p256";
    case KeyType::ecdsa_p384:
      return "ecdsa-p384";
    case KeyType::rsa:
      return "rsa";
    case KeyType::ed25519:
      return "ed25519";
  }
  return "?";
}

bool signs_digests(KeyType type) noexcept {
  return type == KeyType::ecdsa_p256 || type == KeyType::rsa;
}

KeyType accepted_type(EVP_PKEY* key, std::string_view what) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyType::ed25519;
  if (EVP_PKEY_is_a(key, "EC") == 1) return accepted_curve(key, what);
  if (EVP_PKEY_is_a(key, "RSA") == 1) return accepted_rsa(key, what);
  const char* name = EVP_PKEY_get0_type_name(key);
  refuse(what, fmt::format("a key of type {} is not accepted; {}", name == nullptr ? "?" : name, accepted_kinds));
}

Bytes spki_of(EVP_PKEY* key) {
  unsigned char* out = nullptr;
  const int size = i2d_PUBKEY(key, &out);
  if (size <= 0) throw_openssl("encode a public key");
  const BufferPtr<unsigned char> owner{out};
  const auto view = std::as_bytes(std::span{out, static_cast<std::size_t>(size)});
  return {view.begin(), view.end()};
}

const EVP_MD* method_for(KeyType type) {
  return type == KeyType::ecdsa_p384 ? sha384_method() : sha256_method();
}

Bytes hash_for(KeyType type, const Message& message) {
  if (message.sha256()) return signs_digests(type) ? from_hex(message.sha256()->hex()) : Bytes{};
  Bytes hash(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  check(EVP_Digest(message.bytes().data(), message.bytes().size(), raw(hash), &size, method_for(type), nullptr),
        "hash a message");
  hash.resize(size);
  return hash;
}

PublicKey::PublicKey(std::shared_ptr<const Impl> impl) : m_impl(std::move(impl)) {}

PublicKey PublicKey::from_der(ByteView spki, std::string_view what) {
  start_openssl();
  const auto* cursor = raw(spki);
  KeyPtr key{d2i_PUBKEY(nullptr, &cursor, static_cast<long>(spki.size()))};
  if (!key) refuse(what, fmt::format("no public key that can be read; {}", accepted_kinds));
  if (!std::ranges::equal(spki_of(key.get()), spki)) refuse(what, "the public key is not encoded in plain DER");
  return make_public(std::move(key), what);
}

PublicKey PublicKey::from_pem(std::string_view pem, std::string_view what) {
  start_openssl();
  const auto blocks = read_pem(as_bytes(pem), what);
  if (blocks.size() != 1) {
    refuse(what, fmt::format("one PEM block 'PUBLIC KEY' is wanted, found {}", blocks.size()));
  }
  const auto& label = blocks.front().label;
  if (label.ends_with("PRIVATE KEY")) refuse(what, "this is a private key, the public one is wanted (PUBLIC KEY)");
  if (label != "PUBLIC KEY") refuse(what, fmt::format("PEM 'PUBLIC KEY' is wanted, not '{}'", printable(label, 40)));
  return from_der(blocks.front().der, what);
}

PublicKey PublicKey::from_file(const std::string& path) {
  return from_pem(as_usage("", [&] { return fs::read_file(path, std::size_t{64} << 10U); }), path);
}

KeyType PublicKey::type() const noexcept {
  return m_impl->type;
}

std::string PublicKey::to_pem() const {
  const auto bio = checked(BioPtr{BIO_new(BIO_s_mem())}, "make a buffer");
  check(PEM_write_bio_PUBKEY(bio.get(), m_impl->key.get()), "write a public key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

Bytes PublicKey::spki() const {
  return m_impl->spki;
}

const std::string& PublicKey::id() const noexcept {
  return m_impl->id;
}

bool PublicKey::verify(const Message& message, ByteView signature) const {
  const auto good = [&] {
    if (type() == KeyType::ed25519) {
      return !message.sha256() && signature.size() == 64 &&
             verify_ed25519(m_impl->key.get(), message.bytes(), signature);
    }
    const bool is_ecdsa = type() != KeyType::rsa;
    if (is_ecdsa && !parse_ecdsa(type(), signature)) return false;
    const auto hash = hash_for(type(), message);
    return !hash.empty() && verify_hash(*m_impl, hash, signature);
  }();
  ERR_clear_error();
  return good;
}

}  // namespace capsule::crypto
