#include "attest/statement.hpp"

#include <catch2/catch.hpp>

#include "attest/bundle.hpp"
#include "attest_support.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"

using namespace capsule;

namespace {

constexpr std::string_view type = "https://industriverse.ai/capsule-proof/v1";
const Digest capsule_digest = crypto::sha256("capsule");
const Digest index_digest = crypto::sha256("index");

attest::Statement statement() {
  return {{{"capsule", capsule_digest}, {"version-index", index_digest}},
          std::string{type},
          json::Object{{"proof_id", "p-1"}, {"score", 0.5}}};
}

/// A bundle whose payload is `payload` as it stands, signed.
std::string signed_payload(const std::string& payload, std::string payload_type = "application/vnd.in-toto+json") {
  const auto signer = test_signer("ecdsa-p256");
  return attest::Bundle{signer->public_key().id(), attest::sign_envelope(std::move(payload_type), payload, *signer)}
      .text();
}

std::string payload_of(std::string_view bundle) {
  return std::get<attest::Envelope>(attest::Bundle::parse(bundle, "b").content).payload;
}

Error outcome(std::string_view bundle, std::string_view wanted = type) {
  const std::vector keys{test_key("ecdsa-p256")};
  return error_of([&] { (void)attest::verify_statement(bundle, keys, wanted); });
}

constexpr auto accepted = ErrorKind::unavailable;

}  // namespace

TEST_CASE("a statement comes back as it was signed, with every kind of key") {
  for (const std::string name : {"ecdsa-p256", "ecdsa-p384", "rsa-2048", "ed25519"}) {
    CAPTURE(name);
    const std::vector keys{test_key(name)};
    const auto bundle = attest::sign_statement(statement(), *test_signer(name));
    const auto read = attest::verify_statement(bundle, keys, type);
    CHECK(read.subject("capsule") == capsule_digest);
    CHECK(read.subject("version-index") == index_digest);
    CHECK(read.predicate == statement().predicate);
    CHECK(read.is_about(index_digest));
    CHECK_FALSE(read.is_about(crypto::sha256("x")));
    CHECK(error_of([&] { (void)read.subject("run-record"); }).kind() == ErrorKind::verification_failed);
  }
}

TEST_CASE("the payload of a statement is in-toto's Statement v1, canonical") {
  const auto bundle = attest::sign_statement(statement(), *test_signer("ed25519"));
  CHECK(payload_of(bundle) ==
        R"({"_type":"https://in-toto.io/Statement/v1","predicate":{"proof_id":"p-1","score":0.5},)"
        R"("predicateType":"https://industriverse.ai/capsule-proof/v1","subject":[{"digest":{"sha256":")" +
            std::string{capsule_digest.hex()} + R"("},"name":"capsule"},{"digest":{"sha256":")" +
            std::string{index_digest.hex()} + R"("},"name":"version-index"}]})");
  CHECK(attest::sign_statement(statement(), *test_signer("ed25519")) == bundle);  // Ed25519 has no chance in it
}

TEST_CASE("a statement of another type, about another subject, or by another key is refused") {
  const auto bundle = attest::sign_statement(statement(), *test_signer("ecdsa-p256"));
  const std::vector keys{test_key("ecdsa-p256")};
  const std::vector others{test_key("ed25519")};
  CHECK(outcome(bundle).kind() == accepted);
  CHECK(outcome(bundle, "https://example.com/other/v1").kind() == ErrorKind::verification_failed);
  CHECK(attest::verify_statement_about(index_digest, bundle, keys, type).is_about(index_digest));
  CHECK(error_of([&] { (void)attest::verify_statement_about(crypto::sha256("x"), bundle, keys, type); }).kind() ==
        ErrorKind::verification_failed);
  CHECK(error_of([&] { (void)attest::verify_statement(bundle, others, type); }).kind() ==
        ErrorKind::verification_failed);
  CHECK(error_of([&] { (void)attest::verify_statement(bundle, {}, type); }).kind() == ErrorKind::usage);
  // A signature over a file is no statement.
  CHECK(outcome(attest::sign_file(index_digest, "x", *test_signer("ecdsa-p256"))).kind() ==
        ErrorKind::verification_failed);
}

TEST_CASE("a changed payload, payload type or signature is refused") {
  auto bundle = attest::Bundle::parse(attest::sign_statement(statement(), *test_signer("ecdsa-p256")), "b");
  const auto good = std::get<attest::Envelope>(bundle.content);
  const auto refused = [&](attest::Envelope envelope) {
    bundle.content = std::move(envelope);
    CHECK(outcome(bundle.text()).kind() == ErrorKind::verification_failed);
  };
  refused({good.payload_type, with(good.payload, "p-1", "p-2"), good.signature});
  refused({"application/json", good.payload, good.signature});
  refused({good.payload_type, good.payload, {}});
  refused({good.payload_type, good.payload + " ", good.signature});
}

TEST_CASE("a well signed statement with anything unknown in it is refused") {
  const auto good = payload_of(attest::sign_statement(statement(), *test_signer("ecdsa-p256")));
  REQUIRE(outcome(signed_payload(good)).kind() == accepted);
  const std::vector<std::pair<std::string, std::string>> changes{
      {"Statement/v1", "Statement/v0.1"},
      {"{\"_type\"", "{\"more\":1,\"_type\""},
      {"{\"_type\"", "{\"_type\":\"https://in-toto.io/Statement/v1\",\"_type\""},
      {"\"predicateType\"", "\"predicate_type\""},
      {"\"sha256\"", "\"sha1\""},
      {"\"sha256\"", "\"SHA256\""},
      {"{\"sha256\":", "{\"md5\":\"00\",\"sha256\":"},
      {"{\"digest\":", "{\"uri\":\"x\",\"digest\":"},
      {"\"version-index\"", "\"capsule\""},
      {"\"subject\":[", "\"subject\":[],\"x\":["},
  };
  for (const auto& [from, to] : changes) {
    CAPTURE(from, to);
    CHECK(outcome(signed_payload(with(good, from, to))).kind() == ErrorKind::invalid_input);
  }
  CHECK(outcome(signed_payload(good, "application/json")).kind() == ErrorKind::verification_failed);
  CHECK(outcome(signed_payload("")).kind() == ErrorKind::invalid_input);
  CHECK(outcome(signed_payload(R"({"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"t"})"), "t")
            .kind() == ErrorKind::invalid_input);
}

TEST_CASE("a statement without a name and a predicate is one, as cosign writes it") {
  const auto bundle = signed_payload(R"({"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":")" +
                                     std::string{index_digest.hex()} +
                                     R"("}}],"predicateType":"https://sigstore.dev/cosign/sign/v1"})");
  const std::vector keys{test_key("ecdsa-p256")};
  CHECK(attest::verify_statement_about(index_digest, bundle, keys, attest::signature_predicate).predicate ==
        json::Value{json::Object{}});
}
