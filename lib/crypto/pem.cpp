#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/openssl.hpp"

namespace capsule::crypto {

namespace {

constexpr std::size_t max_blocks = 8;

[[noreturn]] void refuse(ErrorKind kind, std::string_view what, std::string_view reason) {
  ERR_clear_error();
  throw Error{kind, fmt::format("{}: {}", printable(what, 1024), reason)};
}

/// Nothing at the end of the text.
std::optional<PemBlock> next_block(BIO* bio, std::string_view what) {
  char* label = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  if (PEM_read_bio(bio, &label, &header, &data, &size) != 1) {
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) refuse(ErrorKind::usage, what, "malformed PEM");
    ERR_clear_error();
    return std::nullopt;
  }
  const BufferPtr<char> label_owner{label};
  const BufferPtr<char> header_owner{header};
  const BufferPtr<unsigned char> data_owner{data};
  PemBlock block;
  block.label = label;
  block.header = header;
  const auto view = std::as_bytes(std::span{data, static_cast<std::size_t>(size)});
  block.der.assign(view.begin(), view.end());
  OPENSSL_cleanse(data, static_cast<std::size_t>(size));
  return block;
}

/// What asks for the passphrase has it once: a second question means that the first answer was wrong.
const Secret& needed(const std::optional<Secret>& passphrase, std::string_view what) {
  if (passphrase) return *passphrase;
  refuse(ErrorKind::usage, what,
         "the key is encrypted and no passphrase is given: use --passphrase-file FILE or CAPSULE_PASSPHRASE");
}

[[noreturn]] void refuse_decryption(std::string_view what) {
  if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED) {
    refuse(ErrorKind::usage, what, "the key is encrypted with an algorithm that is not supported (use PBES2 with AES)");
  }
  refuse(ErrorKind::denied, what, "wrong passphrase (or the file is damaged); it is not tried again");
}

KeyPtr from_pkcs8(Pkcs8Ptr info, std::string_view what) {
  KeyPtr key{EVP_PKCS82PKEY(info.get())};
  if (!key) refuse(ErrorKind::usage, what, "no private key that can be read");
  return key;
}

KeyPtr read_pkcs8(const PemBlock& block, std::string_view what) {
  const auto* cursor = raw(block.der);
  Pkcs8Ptr info{d2i_PKCS8_PRIV_KEY_INFO(nullptr, &cursor, static_cast<long>(block.der.size()))};
  if (!info || cursor != raw(block.der) + block.der.size()) refuse(ErrorKind::usage, what, "malformed PKCS#8");
  return from_pkcs8(std::move(info), what);
}

KeyPtr read_encrypted_pkcs8(const PemBlock& block, const Secret& passphrase, std::string_view what) {
  const auto* cursor = raw(block.der);
  const EncryptedPkcs8Ptr sealed{d2i_X509_SIG(nullptr, &cursor, static_cast<long>(block.der.size()))};
  if (!sealed || cursor != raw(block.der) + block.der.size()) {
    refuse(ErrorKind::usage, what, "malformed encrypted PKCS#8");
  }
  const auto text = passphrase.reveal();
  Pkcs8Ptr info{PKCS8_decrypt(sealed.get(), text.data(), static_cast<int>(text.size()))};
  if (!info) refuse_decryption(what);
  return from_pkcs8(std::move(info), what);
}

int give_passphrase(char* buffer, int size, int /*writing*/, void* secret) {
  const auto text = static_cast<const Secret*>(secret)->reveal();
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(text.begin(), text.end(), buffer);
  return static_cast<int>(text.size());
}

/// SEC1 and PKCS#1, whose encryption is PEM's own (RFC 1421).
KeyPtr read_traditional(PemBlock& block, const std::optional<Secret>& passphrase, std::string_view what) {
  const bool encrypted = block.header.find("ENCRYPTED") != std::string::npos;
  long size = static_cast<long>(block.der.size());
  if (encrypted) {
    Secret secret = needed(passphrase, what);
    EVP_CIPHER_INFO cipher{};
    if (PEM_get_EVP_CIPHER_INFO(block.header.data(), &cipher) != 1) {
      refuse(ErrorKind::usage, what, "the key is encrypted with an algorithm that is not supported");
    }
    if (PEM_do_header(&cipher, raw(block.der), &size, give_passphrase, &secret) != 1) refuse_decryption(what);
  }
  const auto* cursor = raw(block.der);
  const int type = block.label == "RSA PRIVATE KEY" ? EVP_PKEY_RSA : EVP_PKEY_EC;
  KeyPtr key{d2i_PrivateKey(type, nullptr, &cursor, size)};
  if (!key || cursor != raw(block.der) + size) {
    if (encrypted) refuse_decryption(what);  // one wrong passphrase in 256 decrypts to garbage
    refuse(ErrorKind::usage, what, "no private key that can be read");
  }
  return key;
}

}  // namespace

PemBlock::~PemBlock() {
  OPENSSL_cleanse(der.data(), der.size());
}

std::vector<PemBlock> read_pem(ByteView text, std::string_view what) {
  const auto bio = checked(BioPtr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))}, "make a buffer");
  std::vector<PemBlock> blocks;
  while (auto block = next_block(bio.get(), what)) {
    if (blocks.size() == max_blocks) refuse(ErrorKind::usage, what, "too many PEM blocks");
    blocks.push_back(std::move(*block));
  }
  return blocks;
}

KeyPtr read_private_key(ByteView pem, const std::optional<Secret>& passphrase, std::string_view what) {
  start_openssl();
  auto blocks = read_pem(pem, what);
  // `openssl ecparam -genkey` writes the curve as a block of its own.
  std::erase_if(blocks, [](const PemBlock& block) { return block.label == "EC PARAMETERS"; });
  if (blocks.size() != 1) {
    refuse(ErrorKind::usage, what, fmt::format("one PEM private key is wanted, found {} blocks", blocks.size()));
  }
  auto& block = blocks.front();
  if (block.label == "PRIVATE KEY") return read_pkcs8(block, what);
  if (block.label == "ENCRYPTED PRIVATE KEY") return read_encrypted_pkcs8(block, needed(passphrase, what), what);
  if (block.label == "EC PRIVATE KEY" || block.label == "RSA PRIVATE KEY") {
    return read_traditional(block, passphrase, what);
  }
  refuse(ErrorKind::usage, what, fmt::format("a PEM private key is wanted, not '{}'", printable(block.label, 40)));
}

}  // namespace capsule::crypto
