#include "oci/reference.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace capsule;
using oci::Reference;
using oci::RegistryLocation;

namespace {

const std::string digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

bool is_usage(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::usage;
  }
  return false;
}

}  // namespace

TEST_CASE("a reference names a registry, a capsule, a tag and a digest, and prints as it was written") {
  for (const std::string& text :
       {std::string{"oci-layout:/srv/capsules/m2n2-metal:0.1.0"}, "oci-layout:/srv/capsules/m2n2-metal@" + digest,
        "oci-layout:/srv/a@b:c/m2n2-metal:0.1.0@" + digest, std::string{"oci-layout:relative/m2n2-metal"},
        std::string{"oci-layout:/m2n2-metal"}, "oci://registry.example.com:5000/team/m2n2-metal:0.1.0@" + digest}) {
    CAPTURE(text);
    const auto reference = Reference::parse(text);
    CHECK(reference.text() == text);
    CHECK(reference.name == "m2n2-metal");
    CHECK(Reference::looks_like(text));
  }
  const auto reference = Reference::parse("oci-layout:/srv/a@b:c/m2n2-metal:0.1.0@" + digest);
  CHECK(reference.registry.folder() == "/srv/a@b:c");
  CHECK(reference.tag == "0.1.0");
  CHECK(reference.digest->text() == digest);
  CHECK(Reference::parse("registry.example.com/team/x:1").text() == "oci://registry.example.com/team/x:1");
}

TEST_CASE("what is no reference is refused as usage") {
  for (const std::string& text :
       {std::string{"m2n2-metal"}, std::string{"oci-layout:m2n2-metal:0.1.0"}, std::string{"oci-layout:/srv/M2:1"},
        std::string{"oci-layout:/srv/m2:"}, std::string{"oci-layout:/srv/m2:+"},
        std::string{"oci-layout:/srv/m2@md5:00"}, "oci-layout:/srv/m2@" + digest + "0", std::string{"oci-layout:/srv/"},
        std::string{"oci-layout:/srv/..:1"}, std::string{"oci-layout:/s\nrv/m2:1"}, std::string{"oci://HOST/x/m2:1"},
        std::string{"oci://user@host.example/x/m2:1"}, std::string{"oci://host.example/../m2:1"},
        std::string{"https://host.example/m2:1"}, std::string{"oci:///m2:1"},
        "oci-layout:/srv/m2:" + std::string(129, 'a')}) {
    CAPTURE(text);
    CHECK(is_usage([&] { (void)Reference::parse(text); }));
  }
}

TEST_CASE("credentials in a reference are refused, and not shown") {
  for (const std::string& text :
       {std::string{"oci://bob:hunter2@host.example/x/m2:1"}, std::string{"bob:hunter2@host.example/x/m2:1"},
        "oci://bob:hunter2@host.example/x/m2@" + digest, std::string{"oci://bob:hunter2@host.example/x/m2@sha256:1"}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(Reference::parse(text), !Catch::Contains("hunter2"));
    CHECK_THROWS_WITH(RegistryLocation::parse(text.substr(0, text.rfind('/'))), !Catch::Contains("hunter2"));
  }
}

TEST_CASE("a registry is a folder or a host and a base") {
  CHECK(RegistryLocation::parse("oci-layout:/srv/capsules/").text() == "oci-layout:/srv/capsules");
  CHECK(RegistryLocation::parse("oci-layout:/srv").is_layout());
  CHECK(RegistryLocation::parse("localhost:5000/team").text() == "oci://localhost:5000/team");
  const auto place = RegistryLocation::parse("oci://registry/team/metals/");
  CHECK_FALSE(place.is_layout());
  CHECK(place.host() == "registry");
  CHECK(place.repository("m2") == "team/metals/m2");
  CHECK(RegistryLocation::parse("10.0.0.1:5000").repository("m2") == "m2");
  CHECK(Reference::parse("oci://host.example/m2:1").registry.repository("m2") == "m2");
  for (const std::string host : {"[::1]:5000", "[2001:db8::5]", "[2001:db8:0:1::5]:443"}) {
    CAPTURE(host);
    CHECK(RegistryLocation::parse(host + "/team").host() == host);
    CHECK(RegistryLocation::parse("oci://" + host + "/team").repository("m2") == "team/m2");
    CHECK(Reference::parse("oci://" + host + "/team/m2:1.0.0").text() == "oci://" + host + "/team/m2:1.0.0");
  }
  for (const std::string host : {"[::1",
                                 "[]",
                                 "[::1]5000",
                                 "[::1]:",
                                 "[::1]:0",
                                 "[::1]:05",
                                 "[0::1]",
                                 "[0:0:0:0:0:0:0:1]",
                                 "[2001:DB8::5]",
                                 "[2001:db8::0005]",
                                 "[fe80::1%eth0]",
                                 "[fe80::1%25eth0]",
                                 "[::ffff:127.0.0.1]",
                                 "[::ffff:7f00:1]",
                                 "[127.0.0.1]",
                                 "[localhost]",
                                 "[[::1]]",
                                 "[::1]]",
                                 "::1",
                                 "[::1:5000",
                                 "["}) {
    CAPTURE(host);
    CHECK(is_usage([&] { (void)RegistryLocation::parse("oci://" + host + "/team"); }));
  }
  for (const std::string text : {"registry/x", "host.example:/x", "host.example:0/x", "host.example:70000/x",
                                 "host.example:05/x", "HOST.example/x", "host.example/Base", "host.example/a_-b",
                                 "host.example/.a", "host.example/a.", "host_a.example/x", "host.example/a?b",
                                 "user@host.example/a", "host.example/a%2fb", "oci://host.example:5000:5000/a"}) {
    CAPTURE(text);
    CHECK(is_usage([&] { (void)RegistryLocation::parse(text); }));
  }
  for (const std::string text : {"", "oci-layout:", "oci://", "oci://host.example//x", "host", "..", ".", "../x",
                                 ".hidden.example/x", "oci-layout:\x01"}) {
    CAPTURE(text);
    CHECK(is_usage([&] { (void)RegistryLocation::parse(text); }));
  }
}
