#include "attest/bundle.hpp"

#include <catch2/catch.hpp>

#include "attest/statement.hpp"
#include "attest_support.hpp"
#include "crypto/hash.hpp"
#include "fs/fd.hpp"

using namespace capsule;

namespace {

const Digest file = crypto::sha256("a package");

ErrorKind outcome(std::string_view bundle, const Digest& digest = file, const std::string& key = "ecdsa-p256") {
  const std::vector keys{test_key(key)};
  return error_of([&] { (void)attest::verify_file(bundle, keys, digest); }).kind();
}

constexpr auto accepted = ErrorKind::unavailable;

}  // namespace

TEST_CASE("the bytes that DSSE signs are those of its specification") {
  CHECK(attest::pre_authentication_encoding("http://example.com/HelloWorld", "hello world") ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  CHECK(attest::pre_authentication_encoding("", "") == "DSSEv1 0  0 ");
}

TEST_CASE("a file is signed by its digest, with every kind of key") {
  for (const std::string name : {"ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"}) {
    CAPTURE(name);
    const auto bundle = attest::sign_file(file, "capsule.tar.gz", *test_signer(name));
    const std::vector keys{test_key("rsa-2048"), test_key("ed25519"), test_key("ecdsa-p256"), test_key("ecdsa-p384")};
    CHECK(attest::verify_file(bundle, keys, file).id() == test_key(name).id());
    CHECK(outcome(bundle, crypto::sha256("another"), name) == ErrorKind::verification_failed);
    CHECK(outcome(bundle, file, name == "ed25519" ? "rsa-2048" : "ed25519") == ErrorKind::verification_failed);
    CHECK(error_of([&] { (void)attest::verify_file(bundle, {}, file); }).kind() == ErrorKind::usage);
  }
}

TEST_CASE("a message signature has the form of Sigstore's bundle v0.3") {
  const auto signer = test_signer("ecdsa-p256");
  const auto text = attest::sign_file(file, "x", *signer);
  const auto bundle = attest::Bundle::parse(text, "b");
  const auto& message = std::get<attest::MessageSignature>(bundle.content);
  CHECK(text ==
        "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
        "\"verificationMaterial\":{\"publicKey\":{\"hint\":\"" +
            signer->public_key().id() + "\"}},\"messageSignature\":{\"messageDigest\":{\"algorithm\":\"SHA2_256\"," +
            "\"digest\":\"" + to_base64(from_hex(file.hex())) + "\"},\"signature\":\"" + to_base64(message.signature) +
            "\"}}");
  CHECK(bundle.text() == text);
}

TEST_CASE("the hint of a bundle only selects") {
  const auto bundle = attest::sign_file(file, "x", *test_signer("ecdsa-p256"));
  const auto hint = test_key("ecdsa-p256").id();
  CHECK(outcome(with(bundle, hint, "of another tool")) == accepted);
  CHECK(outcome(with(bundle, "{\"hint\":\"" + hint + "\"}", "{}")) == accepted);
  // The hint of a key that is not trusted brings no trust; that of a trusted key is not enough.
  CHECK(outcome(bundle, file, "ed25519") == ErrorKind::verification_failed);
  const auto foreign = attest::sign_file(file, "x", *test_signer("rsa-2048"));
  CHECK(outcome(with(foreign, test_key("rsa-2048").id(), hint)) == ErrorKind::verification_failed);
}

TEST_CASE("what other tools add to a bundle is let through and not believed") {
  const auto bundle = attest::sign_file(file, "x", *test_signer("ecdsa-p256"));
  CHECK(
      outcome(with(bundle, "},\"messageSignature\"",
                   ",\"tlogEntries\":[{\"logIndex\":\"1\"}],\"timestampVerificationData\":{}},\"messageSignature\"")) ==
      accepted);
}

TEST_CASE("a bundle with anything unknown, missing, doubled or malformed is refused") {
  const auto bundle = attest::sign_file(file, "x", *test_signer("ecdsa-p256"));
  const std::vector<std::pair<std::string, std::string>> changes{
      {"v0.3+json", "v0.2+json"},
      {"bundle.v0.3", "bundle.v0.30"},
      {"\"mediaType\"", "\"media_type\""},
      {"{\"mediaType\"", "{\"extra\":1,\"mediaType\""},
      {"{\"mediaType\"", "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"mediaType\""},
      {"\"publicKey\":{", "\"certificate\":{\"rawBytes\":\"AA==\"},\"publicKey\":{"},
      {"\"publicKey\":{", "\"publicKey\":{\"rawBytes\":\"AA==\","},
      {"\"publicKey\"", "\"public_key\""},
      {"SHA2_256", "SHA2_512"},
      {"SHA2_256", "SHA1"},
      {"\"messageSignature\"", "\"message_signature\""},
      {"\"messageDigest\":{", "\"messageDigest\":{\"more\":1,"},
      {"\"signature\":\"", "\"signature\":\" "},
      {"\"signature\":\"", "\"signature\":\"-_"},
      {"\"digest\":\"", "\"digest\":\"AAAA"},
      {"\"messageSignature\"",
       "\"dsseEnvelope\":{\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[{\"sig\":\"\"}]},\"messageSignature\""},
      {"}}", "}"},
      {"{", "[{"},
  };
  REQUIRE(outcome(bundle) == accepted);
  for (const auto& [from, to] : changes) {
    CAPTURE(from, to);
    CHECK(outcome(with(bundle, from, to)) == ErrorKind::invalid_input);
  }
  for (const std::string text : {"", "{}", "null", "[]", "\"\""}) CHECK(outcome(text) == ErrorKind::invalid_input);
  CHECK(outcome(bundle + "x") == ErrorKind::invalid_input);
}

TEST_CASE("a changed digest, signature or trailing byte in a bundle is refused") {
  const auto signer = test_signer("ecdsa-p256");
  auto bundle = attest::Bundle::parse(attest::sign_file(file, "x", *signer), "b");
  auto& message = std::get<attest::MessageSignature>(bundle.content);
  message.signature.push_back(std::byte{0});
  CHECK(outcome(bundle.text()) == ErrorKind::verification_failed);
  message.signature.clear();
  CHECK(outcome(bundle.text()) == ErrorKind::verification_failed);
  // Another digest under the same signature: neither is accepted.
  bundle = attest::Bundle::parse(attest::sign_file(file, "x", *signer), "b");
  std::get<attest::MessageSignature>(bundle.content).digest = crypto::sha256("another");
  CHECK(outcome(bundle.text()) == ErrorKind::verification_failed);
  CHECK(outcome(bundle.text(), crypto::sha256("another")) == ErrorKind::verification_failed);
}

TEST_CASE("an envelope has one signature and no unknown member") {
  const std::string good = R"({"payload":"e30=","payloadType":"t","signatures":[{"sig":"AA==","keyid":"any"}]})";
  const auto envelope = attest::parse_envelope(good, "e");
  CHECK(envelope.payload == "{}");
  CHECK(envelope.payload_type == "t");
  CHECK(envelope.signature == Bytes{std::byte{0}});
  const std::vector<std::pair<std::string, std::string>> changes{
      {"[{", "[{\"sig\":\"AA==\"},{"},
      {"{\"sig\":\"AA==\",\"keyid\":\"any\"}", ""},
      {"\"sig\":\"AA==\",", ""},
      {"\"keyid\":\"any\"", "\"keyid\":1"},
      {"\"keyid\"", "\"cert\""},
      {"e30=", "e30"},
      {"\"payloadType\"", "\"payload_type\""},
      {"\"t\"", "null"},
  };
  for (const auto& [from, to] : changes) {
    CAPTURE(from, to);
    CHECK_THROWS_AS(attest::parse_envelope(with(good, from, to), "e"), Error);
  }
}

TEST_CASE("a bundle that cosign 3.1.3 made is accepted") {
  const auto text = fs::read_file(CAPSULE_TEST_SOURCE "/tests/data/attest/cosign-3.1.3-blob.sigstore.json", 65536);
  CHECK(outcome(text, crypto::sha256("hello\n")) == accepted);
  CHECK(outcome(text) == ErrorKind::verification_failed);
}
