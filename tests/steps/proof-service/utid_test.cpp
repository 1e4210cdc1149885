#include "utid.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fs/temporary.hpp"

using namespace capsule;
using namespace proof_service;

namespace {

UtidSecrets secrets() {
  return {Secret{"dev-utid-secret"}, Secret{"dev-attest-secret"}, "0123456789ab"};
}

constexpr const char* vector =
    "UTID:REAL:00112233445566778899aabbccddeeff:1700000000000:8d81a3a33b7f:180308143315021d:e2142031359d271a";

}  // namespace

TEST_CASE("the platform's vector") {
  const UtidParts parts{"00112233445566778899aabbccddeeff", 1'700'000'000'000, {{"source", "t"}, {"a", "1"}}};
  CHECK(make_utid(secrets(), parts) == vector);
  CHECK(is_own_utid(secrets(), vector));
}

TEST_CASE("a UTID is recognised only whole and with our secrets") {
  const auto utid = make_utid(secrets(), fresh_utid({}));
  CHECK(is_own_utid(secrets(), utid));
  CHECK(utid.find(":none:") != std::string::npos);
  CHECK(make_utid(secrets(), fresh_utid({})) != utid);
  for (std::size_t at = 0; at < std::string_view{vector}.size(); ++at) {
    CAPTURE(at);
    std::string changed{vector};
    changed[at] = changed[at] == '1' ? '2' : '1';
    CHECK_FALSE(is_own_utid(secrets(), changed));
    CHECK_FALSE(is_own_utid(secrets(), changed.substr(0, at)));
  }
  auto other = secrets();
  other.signing = Secret{"another"};
  CHECK_FALSE(is_own_utid(other, vector));
  other = secrets();
  other.attestation = Secret{"another"};
  CHECK_FALSE(is_own_utid(other, vector));
  other = secrets();
  other.host_id = "ffffffffffff";
  CHECK_FALSE(is_own_utid(other, vector));
  for (const char* bad : {"", ":", "UTID:REAL::::::", "UTID:REAL:a:b:c:d:e:f", "\xff\xff"})
    CHECK_FALSE(is_own_utid(secrets(), bad));
}

TEST_CASE("secrets are made once, for their owner alone") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto file = folder.path() / "p.db.secrets.json";
  const auto first = load_utid_secrets(file);
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  const auto second = load_utid_secrets(file);
  CHECK(first.signing.reveal() == second.signing.reveal());
  CHECK(first.signing.reveal() != first.attestation.reveal());
  CHECK(first.host_id == second.host_id);
  CHECK(is_own_utid(second, make_utid(first, fresh_utid({{"k", "v"}}))));

  ::setenv("UTID_SECRET", "from the environment", 1);
  CHECK(load_utid_secrets(file).signing.reveal() == "from the environment");
  ::unsetenv("UTID_SECRET");
  ::setenv("UTID_HOST_ID", "not hex", 1);
  CHECK_THROWS_AS(load_utid_secrets(file), Error);
  ::unsetenv("UTID_HOST_ID");
}

TEST_CASE("secrets are compared whole") {
  CHECK(same_secret("", ""));
  CHECK(same_secret("abc", "abc"));
  CHECK_FALSE(same_secret("abc", "abd"));
  CHECK_FALSE(same_secret("abc", "abcd"));
  CHECK_FALSE(same_secret("", "a"));
}
