#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"

using namespace capsule;
using crypto::Pkcs11Uri;

namespace {

Error refusal(const std::string& text) {
  try {
    (void)Pkcs11Uri::parse(text);
  } catch (const Error& error) {
    return error;
  }
  FAIL("accepted " << text);
  return {ErrorKind::usage, ""};
}

}  // namespace

TEST_CASE("a PKCS#11 URI names a token, a key, a PIN file and a module") {
  const auto uri = Pkcs11Uri::parse(
      "pkcs11:token=My%20token;manufacturer=Acme;model=M&M;serial=0a:1;slot-id=42;object=the%2Fkey;id=%01%00%fF;"
      "type=private?pin-source=file:/run/secrets/pin&module-path=/usr/lib/a+b.so");
  CHECK(uri.token == "My token");
  CHECK(uri.manufacturer == "Acme");
  CHECK(uri.model == "M&M");
  CHECK(uri.serial == "0a:1");
  CHECK(uri.slot_id == 42U);
  CHECK(uri.object == "the/key");
  CHECK(uri.id == std::string("\x01\x00\xff", 3));
  CHECK(uri.type == Pkcs11Uri::Type::private_key);
  CHECK(uri.pin_source == "/run/secrets/pin");
  CHECK(uri.module_path == "/usr/lib/a+b.so");
}

TEST_CASE("what a PKCS#11 URI does not name is open") {
  for (const std::string text : {"pkcs11:", "pkcs11:?"}) {
    const auto uri = Pkcs11Uri::parse(text);
    CHECK((!uri.token && !uri.object && !uri.id && !uri.type && !uri.slot_id));
    CHECK((uri.pin_source.empty() && uri.module_path.empty()));
  }
}

TEST_CASE("a PIN file has three ways of being written") {
  for (const std::string source : {"file:/run/pin", "file:///run/pin", "/run/pin", "%2Frun%2Fpin", "file:%2Frun/pin"}) {
    CAPTURE(source);
    CHECK(Pkcs11Uri::parse("pkcs11:object=k?pin-source=" + source).pin_source == "/run/pin");
  }
}

TEST_CASE("the text of a PKCS#11 URI is canonical, and says nothing of PIN and module") {
  const std::pair<std::string, std::string> rows[] = {
      {"pkcs11:object=k;token=t", "pkcs11:token=t;object=k"},
      {"pkcs11:token=a%20b%2f%3b?pin-source=/p&module-path=/m", "pkcs11:token=a%20b%2F%3B"},
      {"pkcs11:id=ab%0a;slot-id=7", "pkcs11:slot-id=7;id=%61%62%0A"},
      {"pkcs11:object=(x)=y:z", "pkcs11:object=%28x%29%3Dy%3Az"},
      {"pkcs11:type=public", "pkcs11:type=public"},
      {"PKCS11:object=k", "pkcs11:object=k"},
      {"pkcs11:", "pkcs11:"},
  };
  for (const auto& [given, expected] : rows) {
    CAPTURE(given);
    const auto text = Pkcs11Uri::parse(given).text();
    CHECK(text == expected);
    CHECK(Pkcs11Uri::parse(text).text() == text);
  }
}

TEST_CASE("a key's name is meant as a PKCS#11 URI whatever its case and what is before it, and a path is not") {
  for (const auto* const meant :
       {"pkcs11:", "pkcs11:object=k", "PKCS11:object=k", "Pkcs11:?", " pkcs11:object=k", "\npkcs11:"})
    CHECK(crypto::is_pkcs11_uri(meant));
  for (const auto* const path : {"", " ", "pkcs11", "./pkcs11:object=k", "/keys/pkcs11:", "pkcs12:object=k"})
    CHECK_FALSE(crypto::is_pkcs11_uri(path));
}

TEST_CASE("what is no PKCS#11 URI of ours is refused by name") {
  const std::pair<std::string, std::string> rows[] = {
      {"", "begins with"},
      {" pkcs11:object=k?pin-value=1234", "begins with"},
      {"pkcs11", "begins with"},
      {"pkcs11:object", "name=value"},
      {"pkcs11:token=t&pin-value=1234", "'pin-value': a PIN"},
      {"pkcs11:=k", "name=value"},
      {"pkcs11:;object=k", "name=value"},
      {"pkcs11:object=k;", "separator"},
      {"pkcs11:object=k?module-path=/m&", "separator"},
      {"pkcs11:object=", "'object': is empty"},
      {"pkcs11:id=", "'id': is empty"},
      {"pkcs11:object=a;object=b", "'object': is given twice"},
      {"pkcs11:object=a?pin-source=/a&pin-source=/b", "'pin-source': is given twice"},
      {"pkcs11:object=a b", "percent-encoded"},
      {"pkcs11:object=a/b", "percent-encoded"},
      {"pkcs11:object=\xc3\xa4", "percent-encoded"},
      {"pkcs11:object=%", "two hexadecimal digits"},
      {"pkcs11:object=%4", "two hexadecimal digits"},
      {"pkcs11:object=%4g", "two hexadecimal digits"},
      {"pkcs11:object=a%00b", "NUL"},
      {"pkcs11:slot-id=", "decimal number"},
      {"pkcs11:slot-id=-1", "decimal number"},
      {"pkcs11:slot-id=0x1", "decimal number"},
      {"pkcs11:slot-id=99999999999999999999", "decimal number"},
      {"pkcs11:type=cert", "'private' or 'public'"},
      {"pkcs11:library-version=3", "'library-version': is not known here"},
      {"pkcs11:x-vendor=1", "'x-vendor': is not known here"},
      {"pkcs11:pin-source=file:%2Fp", "belongs behind the '?'"},
      {"pkcs11:object=k?module-name=p11-kit", "'module-name': is not known here"},
      {"pkcs11:object=k?module-path=softhsm.so", "with its folder"},
      {"pkcs11:object=k?pin-source=pin.txt", "ABSOLUTE"},
      {"pkcs11:object=k?pin-source=file:pin.txt", "ABSOLUTE"},
      {"pkcs11:object=k?pin-source=file://host/pin", "ABSOLUTE"},
      {"pkcs11:object=k?pin-source=|cat%20/pin", "a command is not run"},
      {"pkcs11:object=" + std::string(9000, 'a'), "too long"},
  };
  for (const auto& [text, words] : rows) {
    CAPTURE(text);
    const auto error = refusal(text);
    CHECK(error.kind() == ErrorKind::usage);
    CAPTURE(error.message());
    CHECK(error.message().find(words) != std::string::npos);
  }
}

TEST_CASE("a PIN in a PKCS#11 URI is refused and not repeated") {
  for (const std::string text : {"pkcs11:object=k?pin-value=1234secret", "pkcs11:pin-value=1234secret;object=k",
                                 "pkcs11:object=k?module-path=/m&pin-value=1234secret"}) {
    const auto error = refusal(text);
    CHECK(error.message().find("pin-source=file:") != std::string::npos);
    CHECK(error.message().find("1234secret") == std::string::npos);
  }
}

TEST_CASE("a module named beside a key counts where its URI names none") {
  using crypto::with_module;
  CHECK(with_module("pkcs11:object=k", "/lib/m.so") == "pkcs11:object=k?module-path=/lib/m.so");
  CHECK(with_module("pkcs11:object=k?", "/lib/m.so") == "pkcs11:object=k?module-path=/lib/m.so");
  CHECK(with_module("pkcs11:object=k?pin-source=/p?", "/m.so") == "pkcs11:object=k?pin-source=/p?&module-path=/m.so");
  CHECK(with_module("pkcs11:object=k?pin-source=/p", "./a b&c.so") ==
        "pkcs11:object=k?pin-source=/p&module-path=./a%20b%26c.so");
  CHECK(with_module("pkcs11:object=k?module-path=/own.so", "/lib/m.so") == "pkcs11:object=k?module-path=/own.so");
  CHECK(with_module("pkcs11:object=k", "") == "pkcs11:object=k");
  CHECK(with_module("key.pem", "/lib/m.so") == "key.pem");
  CHECK_THROWS_AS(with_module("pkcs11:object=k", "m.so"), Error);
  CHECK(Pkcs11Uri::parse(with_module("pkcs11:object=k", "/a?b%.so")).module_path == "/a?b%.so");
}
