#include "oci/docker_config.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "oci/credential_helper.hpp"

using namespace capsule;

namespace {

void write(const fs::Path& path, std::string_view text, bool executable = false) {
  fs::write_file(path, text, executable ? 0755 : 0644);
}

std::string base64(std::string_view text) {
  return to_base64(as_bytes(text));
}

/// "user:password", "user+identity token", "registry token", or "-".
std::string shown(const std::optional<oci::RegistryCredentials>& found) {
  if (!found) return "-";
  if (!found->registry_token.empty()) return std::string{found->registry_token.reveal()};
  if (!found->identity_token.empty()) return found->username + "+" + std::string{found->identity_token.reveal()};
  return found->username + ":" + std::string{found->password.reveal()};
}

struct Config {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  fs::Path file = folder.path() / "config.json";
  std::vector<std::string> asked;              ///< "helper server"
  std::map<std::string, std::string> helpers;  ///< "helper server" to password

  std::string find(std::string_view text, std::string_view host, std::string_view repository = "base/name") {
    write(file, text);
    oci::DockerConfig config{
        {{file, true}}, [&](std::string_view helper, std::string_view server) {
          asked.push_back(std::string{helper} + " " + std::string{server});
          const auto at = helpers.find(asked.back());
          if (at == helpers.end()) return std::optional<oci::RegistryCredentials>{};
          return std::optional{oci::RegistryCredentials{"helped", Secret{at->second}, {}, {}, "h"}};
        }};
    return shown(config.find(host, repository));
  }
};

std::string refusal(const std::function<void()>& work, ErrorKind kind) {
  try {
    work();
  } catch (const Error& error) {
    CAPTURE(error.message());
    CHECK(error.kind() == kind);
    return error.message();
  }
  FAIL("it was taken");
  return {};
}

}  // namespace

TEST_CASE("which files hold credentials") {
  using Variables = std::map<std::string, std::string>;
  const auto files = [](const Variables& variables) {
    std::string out;
    for (const auto& file : oci::credentials_files([&](const char* name) -> const char* {
           const auto found = variables.find(name);
           return found == variables.end() ? nullptr : found->second.c_str();
         })) {
      out += (out.empty() ? "" : " ") + file.path.string() + (file.named ? "!" : "");
    }
    return out;
  };
  CHECK(files({{"HOME", "/h"}}) == "/h/.config/containers/auth.json /h/.docker/config.json");
  CHECK(files({{"HOME", "/h"}, {"XDG_RUNTIME_DIR", "/r"}, {"XDG_CONFIG_HOME", "/c"}}) ==
        "/r/containers/auth.json /c/containers/auth.json /h/.docker/config.json");
  CHECK(files({{"HOME", "/h"}, {"DOCKER_CONFIG", "/d"}}) == "/d/config.json!");
  CHECK(files({{"DOCKER_CONFIG", "/d"}, {"REGISTRY_AUTH_FILE", "/a"}}) == "/a! /d/config.json!");
  CHECK(files({}).empty());
}

TEST_CASE("an entry of auths, by the best name") {
  Config config;
  const auto auths = R"({"HttpHeaders":{"X":"y"},"auths":{
    "registry.example:5000":{"auth":")" +
                     base64("u:p:w") + R"("},
    "registry.example:5000/base":{"auth":")" +
                     base64("b:p") + R"("},
    "registry.example:5000/base/other":{"auth":")" +
                     base64("o:p") + R"("},
    "https://Old.example/v1/":{"username":"v1","password":"p"},
    "https://tls.example:443":{"username":"t","password":"p"},
    "https://index.docker.io/v1/":{"auth":")" +
                     base64("hub:p") + R"("},
    "refresh.example":{"auth":")" +
                     base64("u:") + R"(","identitytoken":"idt"},
    "ready.example":{"registrytoken":"rt"},
    "empty.example":{}, "name.example":{"username":"n"}}})";
  CHECK(config.find(auths, "registry.example:5000", "x") == "u:p:w");
  CHECK(config.find(auths, "registry.example:5000", "") == "u:p:w");
  CHECK(config.find(auths, "registry.example:5000") == "b:p");
  CHECK(config.find(auths, "registry.example:5000", "base/other/x") == "o:p");
  CHECK(config.find(auths, "registry.example:5000", "based/name") == "u:p:w");
  CHECK(config.find(auths, "registry.example") == "-");
  CHECK(config.find(auths, "registry.example:50001") == "-");
  CHECK(config.find(auths, "old.example") == "v1:p");
  CHECK(config.find(auths, "tls.example") == "t:p");
  CHECK(config.find(auths, "docker.io") == "hub:p");
  CHECK(config.find(auths, "registry-1.docker.io") == "hub:p");
  CHECK(config.find(auths, "refresh.example") == "u+idt");
  CHECK(config.find(auths, "ready.example") == "rt");
  CHECK(config.find(auths, "empty.example") == "-");
  CHECK(config.find(auths, "name.example") == "-");
  CHECK(config.find("{}", "registry.example") == "-");
}

TEST_CASE("credential helpers come first, that of the host before the store of all") {
  Config config;
  config.helpers = {{"one a.example", "1"}, {"all c.example", "2"}, {"all https://index.docker.io/v1/", "3"}};
  const auto text = R"({"credHelpers":{"a.example":"one","b.example":"one"},"credsStore":"all",
    "auths":{"b.example":{"username":"u","password":"p"}}})";
  CHECK(config.find(text, "a.example") == "helped:1");
  CHECK(config.find(text, "b.example") == "u:p");
  CHECK(config.find(text, "c.example") == "helped:2");
  CHECK(config.find(text, "docker.io") == "helped:3");
  CHECK(config.find(text, "d.example") == "-");
  CHECK(config.asked == std::vector<std::string>{"one a.example", "one b.example", "all c.example",
                                                 "all https://index.docker.io/v1/", "all d.example"});
}

TEST_CASE("a file that is none is refused without a word of what is in it") {
  Config config;
  for (const char* bad : {"", "[]", R"({"auths":{"a.example":{"auth":"!!s3cret"}}})",
                          R"({"auths":{"a.example":{"auth":"czNjcmV0"}}})", R"({"auths":{"a.example":{"auth":5}}})",
                          R"({"auths":{"a.example":{"password":s3cret}}})", R"({"auths":["s3cret"]})"}) {
    CAPTURE(bad);
    const auto said = refusal([&] { config.find(bad, "a.example"); }, ErrorKind::usage);
    CHECK(said.find(config.file.string()) != std::string::npos);
    CHECK(said.find("s3cret") == std::string::npos);
    CHECK(said.find("czNjcmV0") == std::string::npos);
  }
}

TEST_CASE("the first file that knows the host counts; what is not there is passed over") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto one = folder.path() / "one.json";
  const auto two = folder.path() / "two.json";
  write(one, R"({"auths":{"a.example":{"username":"1","password":"p"}}})");
  write(two, R"({"auths":{"a.example":{"username":"2","password":"p"},"b.example":{"username":"2","password":"q"}}})");
  oci::DockerConfig config{{{folder.path() / "none.json", true}, {one, true}, {two, true}}, {}};
  CHECK(shown(config.find("a.example", "x")) == "1:p");
  const auto found = config.find("b.example", "x");
  CHECK(shown(found) == "2:q");
  CHECK(found->source == two.string());
  CHECK(config.places() == (folder.path() / "none.json").string() + ", " + one.string() + ", " + two.string());
}

TEST_CASE("a credential helper is run, and nothing of what it writes is shown") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto helper = [&](const std::string& name, const std::string& script) {
    write(folder.path() / ("docker-credential-" + name), "#!/bin/sh\n" + script + "\n", true);
  };
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (":.:" + folder.path().string() + ":" + path).c_str(), 1);
  ::setenv("CAPSULE_PASSPHRASE_X", "s3cret", 1);
  ::setenv("HELPER_NEEDS", "this", 1);
  helper("good", R"([ "$1$CAPSULE_PASSPHRASE_X" = get ] || exit 9
read -r server; printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}' "$server" "$HELPER_NEEDS" "$server")");
  helper("token", R"(echo '{"Username":"<token>","Secret":"idt"}')");
  helper("empty", "echo 'credentials not found in native keychain'; exit 1");
  helper("broken", "echo s3cret; echo s3cret >&2; exit 3");
  helper("wrong", R"(echo '{"Username":"s3cret","Secret":5}')");
  helper("silent", "true");
  CHECK(shown(oci::ask_credential_helper("good", "a.example:5000")) == "this:a.example:5000");
  CHECK(shown(oci::ask_credential_helper("token", "a.example")) == "<token>+idt");
  CHECK(shown(oci::ask_credential_helper("empty", "a.example")) == "-");
  for (const char* name : {"broken", "wrong", "silent"}) {
    const auto said = refusal([&] { oci::ask_credential_helper(name, "a.example"); }, ErrorKind::denied);
    CHECK(said.find(name) != std::string::npos);
    CHECK(said.find("s3cret") == std::string::npos);
  }
  refusal([&] { oci::ask_credential_helper("absent", "a.example"); }, ErrorKind::usage);
  refusal([&] { oci::ask_credential_helper("../good", "a.example"); }, ErrorKind::usage);
  ::setenv("PATH", path.c_str(), 1);
  ::unsetenv("CAPSULE_PASSPHRASE_X");
  ::unsetenv("HELPER_NEEDS");
}
