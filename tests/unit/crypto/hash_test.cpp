#include "crypto/hash.hpp"

#include <catch2/catch.hpp>

using namespace capsule;

TEST_CASE("SHA-256 and SHA-512 give the values of FIPS 180-4") {
  CHECK(crypto::sha256("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(crypto::sha256("abc").text() == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  crypto::Hasher hasher{crypto::HashAlgorithm::sha512};
  hasher.update(as_bytes("abc"));
  CHECK(hasher.finish().text() ==
        "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST_CASE("a hasher takes pieces, begins anew after finish, and can be moved") {
  crypto::Hasher hasher;
  hasher.update(as_bytes("a"));
  crypto::Hasher moved{std::move(hasher)};
  moved.update(as_bytes("bc"));
  CHECK(moved.finish() == crypto::sha256("abc"));
  CHECK(moved.finish() == crypto::sha256(""));
}

TEST_CASE("HMAC-SHA256 gives the values of RFC 4231") {
  CHECK(to_hex(crypto::hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(to_hex(crypto::hmac_sha256(Bytes(131, std::byte{0xaa}),
                                   as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("a hashing sink passes on what it hashes") {
  StringSink sink{10};
  crypto::HashingSink hashing{sink};
  hashing.write(as_bytes("ab"));
  hashing.write(as_bytes("c"));
  CHECK(sink.text() == "abc");
  CHECK(hashing.count() == 3);
  CHECK(hashing.finish() == crypto::sha256("abc"));
}

TEST_CASE("random bytes have the length asked for and differ") {
  CHECK(crypto::random_bytes(0).empty());
  CHECK(crypto::random_bytes(32).size() == 32);
  CHECK(crypto::random_bytes(32) != crypto::random_bytes(32));
}
