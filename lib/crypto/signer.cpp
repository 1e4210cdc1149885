#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdexcept>

#include "core/error.hpp"
#include "crypto/openssl.hpp"
#include "crypto/token_key.hpp"
#include "fs/fd.hpp"

namespace capsule::crypto {

namespace {

constexpr std::size_t max_key_file = std::size_t{64} << 10U;
constexpr int key_derivation_rounds = 600'000;

/// Signs with a private key in this process's memory.
class PemSigner final : public Signer {
 public:
  PemSigner(KeyPtr key, const std::string& what)
      : m_key(std::move(key)),
        m_type(accepted_type(m_key.get(), what)),
        m_public(PublicKey::from_der(spki_of(m_key.get()), what)),
        m_what(what) {}

  [[nodiscard]] PublicKey public_key() const override { return m_public; }

  [[nodiscard]] Bytes sign(const Message& message) const override {
    if (message.sha256() && !signs_digests(m_type)) {
      throw std::logic_error{fmt::format("a key of type {} cannot sign a digest", name_of(m_type))};
    }
    auto signature = m_type == KeyType::ed25519 ? sign_bytes(message.bytes()) : sign_hash(hash_of(message));
    if (m_type == KeyType::ecdsa_p256 || m_type == KeyType::ecdsa_p384) signature = with_low_s(m_type, signature);
    if (!m_public.verify(message, signature)) {
      throw Error{ErrorKind::usage,
                  fmt::format("{}: its own signature does not verify: the two halves of the key do not belong together",
                              printable(m_what, 1024))};
    }
    return signature;
  }

 private:
  [[nodiscard]] Bytes sign_bytes(ByteView message) const {
    const auto context = checked(DigestContextPtr{EVP_MD_CTX_new()}, "make a signer");
    check(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, m_key.get()), "begin a signature");
    Bytes signature(64);
    std::size_t size = signature.size();
    check(EVP_DigestSign(context.get(), raw(signature), &size, raw(message), message.size()), "sign");
    signature.resize(size);
    return signature;
  }

  [[nodiscard]] Bytes sign_hash(ByteView hash) const {
    const auto context = checked(KeyContextPtr{EVP_PKEY_CTX_new(m_key.get(), nullptr)}, "make a signer");
    check(EVP_PKEY_sign_init(context.get()), "begin a signature");
    if (m_type == KeyType::rsa) {
      check(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), "choose a padding");
    }
    check(EVP_PKEY_CTX_set_signature_md(context.get(), sha256_method()), "choose a digest");
    std::size_t size = 0;
    check(EVP_PKEY_sign(context.get(), nullptr, &size, raw(hash), hash.size()), "size a signature");
    Bytes signature(size);
    check(EVP_PKEY_sign(context.get(), raw(signature), &size, raw(hash), hash.size()), "sign");
    signature.resize(size);
    return signature;
  }

  KeyPtr m_key;
  KeyType m_type;
  PublicKey m_public;
  std::string m_what;
};

/// Memory that is wiped when it goes: a private key passes through it.
class WipedBuffer {
 public:
  explicit WipedBuffer(std::size_t size) : m_bytes(size) {}
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;
  ~WipedBuffer() { OPENSSL_cleanse(m_bytes.data(), m_bytes.size()); }
  [[nodiscard]] MutableBytes bytes() noexcept { return m_bytes; }

 private:
  Bytes m_bytes;
};

KeyPtr generate(KeyType type) {
  switch (type) {
    case KeyType::ecdsa_p256:
      return KeyPtr{EVP_EC_gen("P-256")};
    case KeyType::ecdsa_p384:
      return KeyPtr{EVP_EC_gen("P-384")};
    case KeyType::rsa:
      return KeyPtr{EVP_RSA_gen(3072)};
    case KeyType::ed25519:
      return KeyPtr{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  }
  return nullptr;
}

void write_encrypted(BIO* bio, EVP_PKEY* key, const Secret& passphrase) {
  const auto info = checked(Pkcs8Ptr{EVP_PKEY2PKCS8(key)}, "encode a private key");
  const auto text = passphrase.reveal();
  const auto sealed =
      checked(EncryptedPkcs8Ptr{PKCS8_encrypt(-1, EVP_aes_256_cbc(), text.data(), static_cast<int>(text.size()),
                                              nullptr, 0, key_derivation_rounds, info.get())},
              "encrypt a private key");
  check(PEM_write_bio_PKCS8(bio, sealed.get()), "write a private key");
}

}  // namespace

std::unique_ptr<Signer> open_signer(const std::string& key, const std::optional<Secret>& secret) {
  if (is_pkcs11_uri(key)) return open_token_signer(key, secret);
  auto file = as_usage("", [&] { return fs::FileSource{key}; });
  WipedBuffer buffer{max_key_file + 1};
  const auto size = read_fully(file, buffer.bytes());
  if (size > max_key_file) {
    throw Error{ErrorKind::usage, fmt::format("{}: too large for a key (64 KiB at most)", printable(key, 1024))};
  }
  return std::make_unique<PemSigner>(read_private_key(buffer.bytes().first(size), secret, key), key);
}

PublicKey read_public_key(const std::string& key) {
  return is_pkcs11_uri(key) ? read_token_key(key) : PublicKey::from_file(key);
}

KeyPair generate_key(KeyType type, const std::optional<Secret>& passphrase) {
  start_openssl();
  const auto key = checked(generate(type), "generate a key");
  // BIO_s_secmem wipes what it frees.
  const auto bio = checked(BioPtr{BIO_new(BIO_s_secmem())}, "make a buffer");
  if (passphrase) {
    write_encrypted(bio.get(), key.get(), *passphrase);
  } else {
    check(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
          "write a private key");
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {Secret{std::string{text, static_cast<std::size_t>(size)}},
          PublicKey::from_der(spki_of(key.get()), "a fresh key").to_pem()};
}

}  // namespace capsule::crypto
