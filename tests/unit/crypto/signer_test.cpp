#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/key.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "key_support.hpp"

using namespace capsule;

namespace {

const Secret passphrase{"correct horse"};

std::unique_ptr<crypto::Signer> open(const std::string& name, const std::optional<Secret>& secret = {}) {
  return crypto::open_signer(key_path(name), secret);
}

Error refusal(const std::string& name, const std::optional<Secret>& secret = {}) {
  try {
    (void)open(name, secret);
  } catch (const Error& error) {
    return error;
  }
  FAIL("accepted " << name);
  return {ErrorKind::usage, ""};
}

/// s of an ECDSA signature in DER.
Bytes s_of(const Bytes& signature) {
  const auto r_size = static_cast<std::size_t>(signature[3]);
  return {signature.begin() + 4 + static_cast<std::ptrdiff_t>(r_size) + 2, signature.end()};
}

}  // namespace

TEST_CASE("every accepted kind of key signs what its public key verifies") {
  for (const std::string name :
       {"ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519", "ecdsa-p256.sec1", "ecdsa-p256.ecparam", "rsa-2048.pkcs1"}) {
    CAPTURE(name);
    const auto signer = open(name);
    const auto signature = signer->sign(as_bytes("message"));
    CHECK(signer->public_key().verify(as_bytes("message"), signature));
    CHECK_FALSE(signer->public_key().verify(as_bytes("another"), signature));
    auto changed = signature;
    changed.back() ^= std::byte{1};
    CHECK_FALSE(signer->public_key().verify(as_bytes("message"), changed));
  }
  CHECK(open("ecdsa-p256")->public_key().to_pem() == key_text("ecdsa-p256.pub"));
  CHECK(open("rsa-2048.pkcs1")->public_key().to_pem() == key_text("rsa-2048.pub"));
}

TEST_CASE("ECDSA and RSA sign a SHA-256 as they sign its bytes; Ed25519 cannot") {
  const auto digest = crypto::sha256("message");
  for (const std::string name : {"ecdsa-p256", "ecdsa-p384", "rsa-2048"}) {
    CAPTURE(name);
    const auto signer = open(name);
    CHECK(signs_digests(signer->public_key().type()));
    CHECK(signer->public_key().verify(as_bytes("message"), signer->sign(crypto::Message{digest})));
  }
  const auto signer = open("ed25519");
  CHECK_FALSE(signs_digests(signer->public_key().type()));
  CHECK_THROWS_AS(signer->sign(crypto::Message{digest}), std::logic_error);
}

TEST_CASE("an ECDSA signature is written with a low s") {
  const auto signer = open("ecdsa-p256");
  const auto half = from_hex("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");
  for (int i = 0; i < 64; ++i) {
    auto s = s_of(signer->sign(as_bytes("message")));
    s.insert(s.begin(), half.size() - std::min(half.size(), s.size()), std::byte{0});
    REQUIRE(s <= half);
  }
}

TEST_CASE("an encrypted key opens with its passphrase alone") {
  for (const std::string name : {"ecdsa-p256.encrypted", "ecdsa-p256.sec1.encrypted"}) {
    CAPTURE(name);
    CHECK(open(name, passphrase)->public_key().to_pem() == key_text("ecdsa-p256.pub"));
    for (const std::string wrong : {"hunter2", "", "correct horse\n", "Correct horse"}) {
      const auto error = refusal(name, Secret{wrong});
      CHECK(error.kind() == ErrorKind::denied);
      if (!wrong.empty()) CHECK(error.message().find(wrong) == std::string::npos);
    }
    const auto missing = refusal(name);
    CHECK(missing.kind() == ErrorKind::usage);
    CHECK(missing.message().find("--passphrase-file") != std::string::npos);
  }
  CHECK(open("ecdsa-p256", passphrase)->public_key().to_pem() == key_text("ecdsa-p256.pub"));  // not asked for
}

TEST_CASE("what is no single accepted private key is refused") {
  for (const std::string name :
       {"p521", "secp256k1", "rsa-1024", "rsa-pss", "dsa", "x25519", "explicit-curve", "two"}) {
    CAPTURE(name);
    CHECK(refusal("refused-" + name).kind() == ErrorKind::usage);
  }
  CHECK(refusal("ecdsa-p256.pub").kind() == ErrorKind::usage);
  CHECK(refusal("none").kind() == ErrorKind::not_found);
  CHECK_THROWS_AS(crypto::open_signer("pkcs11:object=key", {}), Error);
}

TEST_CASE("a key whose halves do not belong together signs nothing") {
  // A SEC1 key with the public point of another key.
  const auto der = [](const std::string& name) {
    auto text = key_text(name);
    text = text.substr(text.find('\n') + 1);
    text = text.substr(0, text.find("-----END"));
    std::erase(text, '\n');
    return from_base64(text);
  };
  auto key = der("ecdsa-p256.sec1");
  const auto other =
      crypto::PublicKey::from_pem(crypto::generate_key(crypto::KeyType::ecdsa_p256).public_pem, "x").spki();
  std::copy(other.end() - 65, other.end(), key.end() - 65);
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto path = folder.path() / "key.pem";
  fs::write_file(path, "-----BEGIN EC PRIVATE KEY-----\n" + to_base64(key) + "\n-----END EC PRIVATE KEY-----\n");
  const auto attempt = [&] { return crypto::open_signer(path.string(), {})->sign(as_bytes("message")); };
  CHECK_THROWS_AS(attempt(), Error);
}

TEST_CASE("a fresh key pair signs; a passphrase encrypts it") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto path = (folder.path() / "key.pem").string();
  for (const auto type :
       {crypto::KeyType::ecdsa_p256, crypto::KeyType::ecdsa_p384, crypto::KeyType::ed25519, crypto::KeyType::rsa}) {
    CAPTURE(name_of(type));
    const auto pair = crypto::generate_key(type);
    fs::write_file(path, pair.private_pem.reveal());
    const auto signer = crypto::open_signer(path, {});
    CHECK(signer->public_key().type() == type);
    CHECK(signer->public_key().to_pem() == pair.public_pem);
  }
  const auto pair = crypto::generate_key(crypto::KeyType::ed25519, passphrase);
  CHECK(pair.private_pem.reveal().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
  fs::write_file(path, pair.private_pem.reveal());
  CHECK(crypto::open_signer(path, passphrase)->public_key().to_pem() == pair.public_pem);
  CHECK_THROWS_AS(crypto::open_signer(path, Secret{"wrong"}), Error);
}
