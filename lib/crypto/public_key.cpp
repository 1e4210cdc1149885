#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
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

struct FreeParams {
  void operator()(OSSL_PARAM_BLD* builder) const noexcept { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* parameters) const noexcept { OSSL_PARAM_free(parameters); }
};
using ParamBuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, FreeParams>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, FreeParams>;

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

bool verify_hash(const PublicKey::Impl& key, const EVP_MD* method, ByteView hash, ByteView signature) {
  const auto context = checked(KeyContextPtr{EVP_PKEY_CTX_new(key.key.get(), nullptr)}, "make a verifier");
  check(EVP_PKEY_verify_init(context.get()), "begin a verification");
  if (key.type == KeyType::rsa) {
    check(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), "choose a padding");
  }
  check(EVP_PKEY_CTX_set_signature_md(context.get(), method), "choose a digest");
  return EVP_PKEY_verify(context.get(), raw(signature), signature.size(), raw(hash), hash.size()) == 1;
}

Bytes hash_by(const EVP_MD* method, ByteView bytes) {
  Bytes hash(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  check(EVP_Digest(bytes.data(), bytes.size(), raw(hash), &size, method, nullptr), "hash a message");
  hash.resize(size);
  return hash;
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
  return type != KeyType::ed25519;
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

Bytes rsa_spki(ByteView modulus, ByteView exponent) {
  start_openssl();
  const auto number = [](ByteView bytes) {
    return checked(NumberPtr{BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr)}, "make a number");
  };
  const auto n = number(modulus);
  const auto e = number(exponent);
  const auto builder = checked(ParamBuilderPtr{OSSL_PARAM_BLD_new()}, "describe a key");
  check(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()), "describe a key");
  check(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()), "describe a key");
  const auto parameters = checked(ParamsPtr{OSSL_PARAM_BLD_to_param(builder.get())}, "describe a key");
  const auto context = checked(KeyContextPtr{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)}, "make a key");
  check(EVP_PKEY_fromdata_init(context.get()), "make a key");
  EVP_PKEY* key = nullptr;
  check(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()), "make a key");
  return spki_of(KeyPtr{key}.get());
}

Bytes hash_of(const Message& message) {
  return message.sha256() ? from_hex(message.sha256()->hex()) : hash_by(sha256_method(), message.bytes());
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
    if (verify_hash(*m_impl, sha256_method(), hash_of(message), signature)) return true;
    return type() == KeyType::ecdsa_p384 && !message.sha256() &&
           verify_hash(*m_impl, sha384_method(), hash_by(sha384_method(), message.bytes()), signature);
  }();
  ERR_clear_error();
  return good;
}

}  // namespace capsule::crypto
