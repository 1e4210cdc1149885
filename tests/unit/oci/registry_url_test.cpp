#include "oci/registry_url.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "oci/referrers_index.hpp"
#include "oci/registry_error.hpp"
#include "support/error_kind.hpp"

using namespace capsule;

namespace {

Error error_of(int status, const std::string& body) {
  try {
    oci::expect_registry_success({status, {}, body, Url::parse("https://r.example/v2/x?secret=1")}, "it fails");
  } catch (const Error& error) {
    return error;
  }
  FAIL("an error is wanted");
  throw;
}

}  // namespace

TEST_CASE("the addresses of a repository") {
  const oci::RegistryUrls urls{oci::registry_base("https", "r.example:5000"), "team/metal"};
  const auto digest = crypto::sha256("x");
  CHECK(urls.manifest("1.0.0").text() == "https://r.example:5000/v2/team/metal/manifests/1.0.0");
  CHECK(urls.blob(digest).text() == "https://r.example:5000/v2/team/metal/blobs/" + digest.text());
  CHECK(urls.uploads().text() == "https://r.example:5000/v2/team/metal/blobs/uploads/");
  CHECK(urls.referrers(digest, "application/a+json").text() ==
        "https://r.example:5000/v2/team/metal/referrers/" + digest.text() + "?artifactType=application%2Fa%2Bjson");
  CHECK(oci::registry_base("https", "docker.io").text() == "https://registry-1.docker.io/");
  CHECK(oci::with_query(Url::parse("https://r.example/u?_state=a%3D"), "digest", digest.text()).query() ==
        "_state=a%3D&digest=sha256%3A" + std::string{digest.hex()});
}

TEST_CASE("the next page of a list is at the registry or nowhere") {
  const auto url = Url::parse("https://r.example/v2/x/tags/list?n=10");
  const auto next = [&](const std::string& link) { return oci::next_page({{"Link", link}}, url); };
  CHECK_FALSE(oci::next_page({}, url));
  CHECK(next("</v2/x/tags/list?n=10&last=b>; rel=\"next\"")->text() == "https://r.example/v2/x/tags/list?n=10&last=b");
  CHECK(next("<https://r.example/a>; rel=\"prev\", </b>; rel=next")->text() == "https://r.example/b");
  CHECK_FALSE(next("</a>; rel=\"prev\""));
  CHECK_FALSE(next("nonsense"));
  CHECK(kind_of([&] { (void)next("<https://other.example/a>; rel=\"next\""); }) == ErrorKind::denied);
  CHECK(kind_of([&] { (void)next("<http://r.example/a>; rel=\"next\""); }) == ErrorKind::denied);
  CHECK(kind_of([&] { (void)next("<https://user@r.example/a>; rel=\"next\""); }) == ErrorKind::invalid_input);
}

TEST_CASE("what a registry says of an error") {
  const auto body = [](const std::string& code) {
    return R"({"errors":[{"code":")" + code + R"(","message":"so it is","detail":{"x":1}}]})";
  };
  CHECK(error_of(404, body("MANIFEST_UNKNOWN")).kind() == ErrorKind::not_found);
  CHECK(error_of(404, body("MANIFEST_BLOB_UNKNOWN")).kind() == ErrorKind::invalid_input);
  CHECK(error_of(400, body("DIGEST_INVALID")).kind() == ErrorKind::verification_failed);
  CHECK(error_of(400, body("DENIED")).kind() == ErrorKind::denied);
  CHECK(error_of(503, "<html>").kind() == ErrorKind::unavailable);
  CHECK(error_of(404, body("NAME_UNKNOWN")).message() ==
        "it fails: https://r.example/v2/x answers 404 Not Found: NAME_UNKNOWN: so it is");
  for (const std::string odd : {"", "{}", R"({"errors":[]})", R"({"errors":[{"code":1}]})", "[", "\x1b[31m\nsecond"}) {
    CAPTURE(odd);
    CHECK(error_of(500, odd).message().find('\n') == std::string::npos);
    CHECK(error_of(500, odd).message().find('\x1b') == std::string::npos);
  }
}

TEST_CASE("the tag of the referrers") {
  const auto digest = crypto::sha256("x");
  CHECK(oci::referrers_tag(digest) == "sha256-" + std::string{digest.hex()});
  CHECK(oci::is_referrers_tag(oci::referrers_tag(digest)));
  const auto strong = Digest::parse("sha512:" + std::string(128, 'a'));
  CHECK(oci::referrers_tag(strong).size() == 128);
  CHECK(oci::is_referrers_tag(oci::referrers_tag(strong)));
  for (const auto* tag : {"1.0.0", "sha256-abc", "index"}) CHECK_FALSE(oci::is_referrers_tag(tag));
}
