#include <catch2/catch.hpp>

#include <array>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/key.hpp"
#include "key_support.hpp"

using namespace capsule;
using crypto::PublicKey;

namespace {

/// One-byte lengths are enough for P-256. Numbers are hexadecimal, as they stand in the DER.
Bytes ecdsa_der(const std::string& r, const std::string& s) {
  const auto with_length = [](const std::string& tag, const std::string& hex) {
    return tag + to_hex(std::array{static_cast<std::byte>(hex.size() / 2)}) + hex;
  };
  return from_hex(with_length("30", with_length("02", r) + with_length("02", s)));
}

// RFC 6979, A.2.5: P-256, SHA-256, "sample". This s is a high one.
const std::string spki_prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const std::string point =
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const std::string rfc_r = "00efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
const std::string rfc_s = "00f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const std::string order = "00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

PublicKey rfc_key() {
  return PublicKey::from_der(from_hex(spki_prefix + point), "the key of RFC 6979");
}

ErrorKind refusal(const std::string& pem) {
  try {
    (void)PublicKey::from_pem(pem, "k.pem");
  } catch (const Error& error) {
    CHECK(error.message().starts_with("k.pem: "));
    return error.kind();
  }
  FAIL("accepted");
  return {};
}

}  // namespace

TEST_CASE("an ECDSA signature verifies, with a high s too") {
  const auto key = rfc_key();
  CHECK(key.type() == crypto::KeyType::ecdsa_p256);
  CHECK(key.verify(as_bytes("sample"), ecdsa_der(rfc_r, rfc_s)));
  CHECK(key.verify(crypto::Message{crypto::sha256("sample")}, ecdsa_der(rfc_r, rfc_s)));
  CHECK_FALSE(key.verify(as_bytes("Sample"), ecdsa_der(rfc_r, rfc_s)));
}

TEST_CASE("an ECDSA signature has one encoding only: minimal DER, nothing after it") {
  const auto key = rfc_key();
  const auto good = ecdsa_der(rfc_r, rfc_s);
  auto trailing = good;
  trailing.push_back(std::byte{0});
  auto inner = good;  // the byte too many is inside of the sequence
  inner.push_back(std::byte{0});
  inner[1] = static_cast<std::byte>(inner.size() - 2);
  auto long_length = good;  // 81 nn for a length below 128
  long_length.insert(long_length.begin() + 1, std::byte{0x81});
  auto indefinite = good;
  indefinite[1] = std::byte{0x80};
  indefinite.insert(indefinite.end(), 2, std::byte{0});
  const std::vector<Bytes> bad{trailing,
                               inner,
                               long_length,
                               indefinite,
                               ecdsa_der("00" + rfc_r, rfc_s),
                               ecdsa_der(rfc_r, "0000" + rfc_s),
                               ecdsa_der(rfc_r.substr(2), rfc_s),  // negative
                               Bytes(good.begin(), good.end() - 1),
                               from_hex(rfc_r.substr(2) + rfc_s.substr(2)),  // r ‖ s, as PKCS#11 and JWS have it
                               Bytes{}};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(key.verify(as_bytes("sample"), bad[i]));
  }
}

TEST_CASE("r and s of an ECDSA signature are in [1, n−1]") {
  const auto key = rfc_key();
  const std::string too_large = "01" + order.substr(2);
  for (const std::string& bad : {std::string{"00"}, order, too_large, std::string{"ff"}}) {
    CAPTURE(bad);
    CHECK_FALSE(key.verify(as_bytes("sample"), ecdsa_der(bad, rfc_s)));
    CHECK_FALSE(key.verify(as_bytes("sample"), ecdsa_der(rfc_r, bad)));
  }
}

TEST_CASE("an Ed25519 signature verifies (RFC 8032, test 3), with nothing after it") {
  const auto key = PublicKey::from_der(
      from_hex("302a300506032b6570032100fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"), "RFC 8032");
  const auto message = from_hex("af82");
  auto signature = from_hex(
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
  CHECK(key.type() == crypto::KeyType::ed25519);
  CHECK(key.verify(message, signature));
  CHECK_FALSE(key.verify(crypto::Message{crypto::sha256(message)}, signature));
  signature.push_back(std::byte{0});
  CHECK_FALSE(key.verify(message, signature));
}

TEST_CASE("a public key comes out as it came in, with Sigstore's hint as its name") {
  for (const std::string name : {"ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"}) {
    CAPTURE(name);
    const auto pem = key_text(name + ".pub");
    const auto key = PublicKey::from_pem(pem, name);
    CHECK(key.to_pem() == pem);
    CHECK(name.starts_with(name_of(key.type())));
    CHECK(key.id() == to_base64(from_hex(crypto::sha256(key.spki()).hex())));
    CHECK(PublicKey::from_der(key.spki(), name).id() == key.id());
    CHECK(PublicKey::from_file(key_path(name + ".pub")).id() == key.id());
  }
}

TEST_CASE("what is no accepted public key is refused by name") {
  for (const std::string name :
       {"p521", "secp256k1", "rsa-1024", "rsa-pss", "dsa", "x25519", "explicit-curve", "compressed", "two"}) {
    CAPTURE(name);
    CHECK(refusal(key_text("refused-" + name + ".pub")) == ErrorKind::usage);
  }
  CHECK(refusal(key_text("ecdsa-p256")) == ErrorKind::usage);  // a private key
  CHECK(refusal("") == ErrorKind::usage);
  CHECK(refusal("-----BEGIN PUBLIC KEY-----\nMFkw\n") == ErrorKind::usage);
  CHECK(refusal("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n") == ErrorKind::usage);
  CHECK_THROWS_AS(PublicKey::from_der(from_hex(spki_prefix + point + "00"), "k"), Error);  // trailing byte
  CHECK_THROWS_AS(PublicKey::from_der(from_hex(spki_prefix + point.substr(0, 128) + "9a"), "k"),
                  Error);  // off the curve
  CHECK_THROWS_AS(PublicKey::from_der({}, "k"), Error);
  CHECK_THROWS_AS(PublicKey::from_file(key_path("none")), Error);
}

TEST_CASE("of a P-384 key a signature over SHA-384 is accepted too, for bytes that are there") {
  // Made with `openssl dgst -sha384 -sign tests/keys/ecdsa-p384.pem` over "message".
  const auto key = PublicKey::from_pem(key_text("ecdsa-p384.pub"), "x");
  const auto signature = from_hex(
      "3064023001d120827da9cac919190a7812bf1c1cee35d5ede5b71d2c48842455c3ae4684ee100645"
      "4a23edf09c0dd9e544450514023066bafee8b9adf584c1ca0b0c863450caddddc9eaa7ae528723cb"
      "8745371beaf963a515656d3f6e0b0c3b1ae639ed36ec");
  CHECK(key.verify(as_bytes("message"), signature));
  CHECK_FALSE(key.verify(as_bytes("Message"), signature));
  CHECK_FALSE(key.verify(crypto::Message{crypto::sha256("message")}, signature));
}
