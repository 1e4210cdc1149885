#include "attest/trust_policy.hpp"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "attest/vkey.hpp"
#include "attest_support.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

using namespace capsule;
using attest::Role;
using attest::TrustPolicy;

namespace {

constexpr std::string_view vkey =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";  // Go's own test

TrustPolicy parse(const std::string& text) {
  return TrustPolicy::parse(text, "trust.yaml", std::string{CAPSULE_TEST_SOURCE} + "/tests/keys");
}

std::vector<std::string> ids(const TrustPolicy& policy, Role role, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& key : policy.keys(role, name)) out.push_back(key.id());
  return out;
}

std::string inline_pem(const std::string& key, std::size_t indent) {
  std::string out = "|\n" + std::string(indent, ' ');
  for (const char c : test_key(key).to_pem()) out += c == '\n' ? "\n" + std::string(indent, ' ') : std::string{c};
  return out + "\n";
}

/// The same for a place between braces.
std::string quoted_pem(const std::string& key) {
  std::string out = "\"";
  for (const char c : test_key(key).to_pem()) out += c == '\n' ? "\\n" : std::string{c};
  return out + "\"";
}

const std::string p256 = test_key("ecdsa-p256").id();
const std::string rsa = test_key("rsa-2048").id();
const std::string ed25519 = test_key("ed25519").id();

}  // namespace

TEST_CASE("a policy names keys per role and name, inline or as files") {
  const auto policy =
      parse("version: 1\ncapsule:\n  - names: [\"m2n2-*\", exact]\n    keys:\n      - " + inline_pem("ecdsa-p256", 8) +
            "      - {file: rsa-2048.pub.pem}\n    threshold: 2\n"
            "  - keys: [{file: ed25519.pub.pem}]\n"
            "proof:\n  - names: [a*b*c]\n    keys: [{file: ed25519.pub.pem}]\n");
  CHECK(ids(policy, Role::capsule, "m2n2-metal") == std::vector{p256, rsa});
  CHECK(ids(policy, Role::capsule, "exact") == std::vector{p256, rsa});
  CHECK(policy.signers(Role::capsule, "exact").threshold == 2);
  for (const auto* name : {"m2n2", "exactly", "inexact", "x-m2n2-metal", ""}) {
    CAPTURE(name);
    CHECK(ids(policy, Role::capsule, name) == std::vector{ed25519});  // the first rule that fits, alone
    CHECK(policy.signers(Role::capsule, name).threshold == 1);
  }
  for (const auto* name : {"abc", "axxbxxc", "abbcc", "abcbc"}) CHECK(ids(policy, Role::proof, name).size() == 1);
  for (const auto* name : {"ab", "xabc", "abcd", "acb"}) CHECK_THROWS_AS(policy.keys(Role::proof, name), Error);
}

TEST_CASE("a role without a key trusts nobody") {
  const auto policy = parse("version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem}]}]\n");
  for (const auto role : {Role::proof, Role::index, Role::log, Role::utid}) {
    CHECK(error_of([&] { (void)policy.keys(role, "x"); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { (void)policy.signers(role, "x"); }).kind() == ErrorKind::usage);
  }
  CHECK(error_of([&] { (void)parse("version: 1\n").keys(Role::capsule, "x"); }).kind() == ErrorKind::usage);
}

TEST_CASE("a log is trusted by its vkey and for its own name, or by a PEM key") {
  const auto log = attest::parse_vkey(vkey, "k");
  CHECK(log.name == "PeterNeumann");
  const auto policy = parse(fmt::format("version: 1\nlog:\n  - keys: [\"{}\", {{file: ed25519.pub.pem}}]\n", vkey));
  CHECK(ids(policy, Role::log, "PeterNeumann") == std::vector{log.key.id()});
  CHECK(ids(policy, Role::log, "another") == std::vector{ed25519});
  const auto only = parse(fmt::format("version: 1\nlog: [{{keys: [\"{}\"]}}]\n", vkey));
  CHECK_THROWS_AS(only.keys(Role::log, "another"), Error);
  for (const std::string bad :
       {"PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "+c74f20a3+ARpc2Qc=", "a+b", "a",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpcZQcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "PeterNeumann+c74f20a3+*"}) {
    CAPTURE(bad);
    CHECK(error_of([&] { (void)attest::parse_vkey(bad, "k"); }).kind() == ErrorKind::usage);
  }
}

TEST_CASE("what is revoked is refused: things and keys") {
  const auto digest = crypto::sha256("bad package");
  const auto key = crypto::sha256(test_key("rsa-2048").spki());
  const auto policy = parse(
      "version: 1\ncapsule: [{keys: [{file: rsa-2048.pub.pem}, {file: ecdsa-p256.pub.pem}]}]\n"
      "index: [{keys: [{file: rsa-2048.pub.pem}]}]\nrevoked: [\"" +
      digest.text() + "\", \"" + key.text() + "\"]\n");
  CHECK(error_of([&] { policy.check_revoked(digest); }).kind() == ErrorKind::verification_failed);
  CHECK_NOTHROW(policy.check_revoked(crypto::sha256("good package")));
  CHECK(ids(policy, Role::capsule, "x") == std::vector{p256});
  const auto error = error_of([&] { (void)policy.keys(Role::index, "x"); });
  CHECK(error.kind() == ErrorKind::verification_failed);
  CHECK(error.message().find(rsa + " is revoked") != std::string::npos);
}

TEST_CASE("a key counts until its end, and five minutes longer for clocks that differ") {
  const auto keys_at = [](const std::string& not_after, std::string_view at) {
    auto policy = parse("version: 1\ncapsule: [{keys: [{file: rsa-2048.pub.pem, not_after: " + not_after +
                        "}, {file: ecdsa-p256.pub.pem}]}]\n");
    policy.set_clock([at = parse_time(at)] { return at; });
    return ids(policy, Role::capsule, "x");
  };
  const std::vector both{rsa, p256};
  const std::vector one{p256};
  for (const std::string date : {"2027-06-30", "\"2027-06-30\""}) {
    CHECK(keys_at(date, "2027-06-30T00:00:00Z") == both);
    CHECK(keys_at(date, "2027-07-01T00:04:59Z") == both);
    CHECK(keys_at(date, "2027-07-01T00:05:00Z") == one);
    CHECK(keys_at(date, "2099-01-01T00:00:00Z") == one);
    CHECK(keys_at(date, "1970-01-01T00:00:00Z") == both);
  }
  CHECK(keys_at("\"2027-06-30T12:00:00+02:00\"", "2027-06-30T10:05:00Z") == both);
  CHECK(keys_at("\"2027-06-30T12:00:00+02:00\"", "2027-06-30T10:05:00.001Z") == one);
  CHECK(keys_at("2027-06-30T10:00:00.5Z", "2027-06-30T10:05:00.501Z") == one);
}

TEST_CASE("a rule all of whose keys have expired trusts nobody, and says since when") {
  const auto policy = parse("version: 1\ncapsule:\n  - keys:\n      - pem: " + inline_pem("ecdsa-p256", 10) +
                            "        not_after: 2020-01-01\n  - keys: [{file: rsa-2048.pub.pem}]\n");
  const auto error = error_of([&] { (void)policy.keys(Role::capsule, "x"); });
  CHECK(error.kind() == ErrorKind::verification_failed);
  CHECK(error.message().find(p256 + " expired at 2020-01-01T23:59:59.999Z") != std::string::npos);
  CHECK(policy.signers(Role::capsule, "x").keys.empty());  // the next rule is not asked
}

TEST_CASE("a log's key expires too, in every form") {
  for (const auto& entry : {fmt::format("{{vkey: \"{}\", not_after: {{}}}}", vkey),
                            std::string{"{file: ed25519.pub.pem, not_after: {}}"}}) {
    CAPTURE(entry);
    const auto policy = [&](std::string_view date) {
      return parse("version: 1\nlog: [{keys: [" + with(entry, "{}", date) + "]}]\n");
    };
    CHECK(policy("2999-12-31").keys(Role::log, "PeterNeumann").size() == 1);
    CHECK_THROWS_AS(policy("2020-12-31").keys(Role::log, "PeterNeumann"), Error);
  }
}

TEST_CASE("a proof expires where the rule of its capsule says so") {
  auto policy = parse(
      "version: 1\nproof: [{names: [old-*], keys: [{file: rsa-2048.pub.pem}]}, "
      "{keys: [{file: ecdsa-p256.pub.pem}], max_age: 2h}]\n");
  policy.set_clock([] { return parse_time("2026-11-30T12:00:00Z"); });
  CHECK_FALSE(policy.max_proof_age("old-one"));
  CHECK(policy.max_proof_age("x") == std::chrono::hours{2});
  CHECK_FALSE(TrustPolicy::from_key(test_key("ecdsa-p256")).max_proof_age("x"));
  CHECK_FALSE(parse("version: 1\ncapsule: [{keys: [{file: rsa-2048.pub.pem}]}]\n").max_proof_age("x"));
  CHECK_NOTHROW(policy.check_proof_age("the proof", "old-one", parse_time("2020-01-01T00:00:00Z")));
  CHECK_NOTHROW(policy.check_proof_age("the proof", "x", parse_time("2026-11-30T09:56:00Z")));  // clocks differ
  const auto error = error_of([&] { policy.check_proof_age("the proof", "x", parse_time("2026-11-30T09:54:00Z")); });
  CHECK(error.kind() == ErrorKind::verification_failed);
  CHECK(error.message().find("the proof has expired: it is about a run that ended at 2026-11-30T09:54:00") == 0);
  for (const auto* bad : {"capsule: [{keys: [{file: rsa-2048.pub.pem}], max_age: 2h}]",
                          "proof: [{keys: [{file: rsa-2048.pub.pem}], max_age: soon}]",
                          "proof: [{keys: [{file: rsa-2048.pub.pem}], max_age: 0s}]"})
    CHECK(error_of([&] { parse(fmt::format("version: 1\n{}\n", bad)); }).kind() == ErrorKind::usage);
}

TEST_CASE("a policy with anything unknown or empty in it is refused, with the place") {
  const std::string key = "{file: ecdsa-p256.pub.pem}";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"capsule: []\n", "/version|version"},
      {"version: 2\n", "/version"},
      {"version: \"1\"\n", "/version"},
      {"version: 1\ncapsules: []\n", "/capsules"},
      {"version: 1\ncapsule: {}\n", "/capsule"},
      {"version: 1\ncapsule: [{}]\n", "/capsule/0"},
      {"version: 1\ncapsule: [{keys: []}]\n", "/capsule/0/keys"},
      {"version: 1\ncapsule: [{keys: [" + key + "], name: x}]\n", "/capsule/0/name"},
      {"version: 1\ncapsule: [{keys: [" + key + "], names: []}]\n", "/capsule/0/names"},
      {"version: 1\ncapsule: [{keys: [" + key + "], names: [\"\"]}]\n", "/capsule/0/names/0"},
      {"version: 1\ncapsule: [{keys: [" + key + "], threshold: 0}]\n", "/capsule/0/threshold"},
      {"version: 1\ncapsule: [{keys: [" + key + "], threshold: 2}]\n", "/capsule/0/threshold"},
      {"version: 1\ncapsule: [{keys: [" + key + ", " + key + "]}]\n", "/capsule/0/keys/1"},
      {"version: 1\nindex: [{keys: [" + key + ", {file: rsa-2048.pub.pem}], threshold: 2}]\n", "/index/0/threshold"},
      {"version: 1\ncapsule: [{keys: [{file: none.pem}]}]\n", "/capsule/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pem}]}]\n", "/capsule/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [{file: refused-rsa-1024.pub.pem}]}]\n", "/capsule/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [{url: x}]}]\n", "/capsule/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [text]}]\n", "/capsule/0/keys/0"},
      {fmt::format("version: 1\ncapsule: [{{keys: [\"{}\"]}}]\n", vkey), "/capsule/0/keys/0"},
      {fmt::format("version: 1\nlog: [{{names: [x], keys: [\"{}\"]}}]\n", vkey), "/log/0/keys/0"},
      {"version: 1\nlog: [{keys: [" + key + "]}]\n", "/log/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem, not_after: soon}]}]\n", "/capsule/0/keys/0/not_after"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem, not_after: 2027-02-30}]}]\n",
       "/capsule/0/keys/0/not_after"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem, not_after: 2027}]}]\n", "/capsule/0/keys/0/not_after"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem, not_after: null}]}]\n", "/capsule/0/keys/0/not_after"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem, not_after: \"2027-06-30 10:00:00Z\"}]}]\n",
       "/capsule/0/keys/0/not_after"},
      {"version: 1\ncapsule: [{keys: [{not_after: 2027-06-30}]}]\n", "/capsule/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [{file: ecdsa-p256.pub.pem, pem: x}]}]\n", "/capsule/0/keys/0"},
      {"version: 1\ncapsule: [{keys: [{pem: x}]}]\n", "/capsule/0/keys/0"},
      {fmt::format("version: 1\ncapsule: [{{keys: [{{vkey: \"{}\"}}]}}]\n", vkey), "/capsule/0/keys/0/vkey"},
      {"version: 1\ncapsule: [{keys: [" + key + ", {file: rsa-2048.pub.pem}], threshold: 3}]\n",
       "/capsule/0/threshold"},
      {"version: 1\ncapsule: [{keys: [" + key + ", {pem: " + quoted_pem("ecdsa-p256") + "}], threshold: 2}]\n",
       "/capsule/0/keys/1"},
      {"version: 1\nrevoked: [\"sha1:00\"]\n", "/revoked/0"},
      {"version: 1\nrevoked: [\"sha512:" + std::string(128, '0') + "\"]\n", "/revoked/0"},
      {"version: 1\nversion: 1\n", "trust.yaml"},
      {"a: &x 1\n", "trust.yaml"},
      {"", "trust.yaml"},
  };
  for (const auto& [text, place] : cases) {
    CAPTURE(text);
    const auto error = error_of([&, &content = text] { (void)parse(content); });
    const bool gone = text.find("none.pem") != std::string::npos;
    CHECK(error.kind() == (gone ? ErrorKind::not_found : ErrorKind::usage));
    CHECK(error.message().find(place.substr(place.find('|') + 1)) != std::string::npos);
  }
}

TEST_CASE("trust is found by option, in the user's configuration, in the state folder, or not at all") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto root = folder.path();
  const auto state = root / "state";
  std::filesystem::create_directories(root / "config/capsule-loop");
  std::filesystem::create_directories(state / "configmaps/capsule-trust");
  ::setenv("XDG_CONFIG_HOME", (root / "config").c_str(), 1);
  const auto policy = [](const std::string& name) {
    return "version: 1\ncapsule: [{keys: [{file: " + key_path(name + ".pub") + "}]}]\n";
  };
  const auto found = [&](const std::string& trust, const std::string& key) {
    return attest::find_trust(trust, key, state.string()).keys(Role::capsule, "x").front().id();
  };
  CHECK(error_of([&] { (void)found("", ""); }).kind() == ErrorKind::usage);
  fs::write_file(state / "configmaps/capsule-trust/trust.yaml", policy("ecdsa-p256"));
  CHECK(found("", "") == p256);
  fs::write_file(root / "config/capsule-loop/trust.yaml", policy("rsa-2048"));
  CHECK(found("", "") == rsa);
  fs::write_file(root / "named.yaml", policy("ed25519"));
  CHECK(found((root / "named.yaml").string(), "") == ed25519);
  CHECK(found("", key_path("ecdsa-p256.pub")) == p256);
  CHECK(error_of([&] { (void)found((root / "named.yaml").string(), key_path("ecdsa-p256.pub")); }).kind() ==
        ErrorKind::usage);
  const auto missing = error_of([&] { (void)found((root / "none.yaml").string(), ""); });
  CHECK(missing.kind() == ErrorKind::not_found);
  CHECK(missing.message().find("keygen") == std::string::npos);
  std::filesystem::remove(state / "configmaps/capsule-trust/trust.yaml");
  const auto own = error_of([&] { (void)found((state / "./configmaps/capsule-trust/trust.yaml").string(), ""); });
  CHECK(own.kind() == ErrorKind::not_found);
  CHECK(own.message().find("capsule-sign keygen --state") != std::string::npos);
  CHECK(error_of([&] { (void)found(root.string(), ""); }).kind() == ErrorKind::usage);  // a folder
  ::unsetenv("XDG_CONFIG_HOME");
}

TEST_CASE("--key trusts one key in every role") {
  const auto policy = TrustPolicy::from_key(test_key("ecdsa-p256"));
  for (const auto role : {Role::capsule, Role::proof, Role::index, Role::log, Role::utid}) {
    CHECK(ids(policy, role, "any") == std::vector{p256});
    CHECK(policy.signers(role, "any").threshold == 1);
  }
}
