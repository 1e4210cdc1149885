#include "kube/kubeconfig.hpp"

#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "core/bytes.hpp"
#include "fs/atomic_file.hpp"
#include "fs/fd.hpp"
#include "fs/temporary.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using kube::Kubeconfig;

namespace {

constexpr const char* first = R"(apiVersion: v1
kind: Config
current-context: one
clusters:
- name: a
  cluster: {server: "https://a.example:6443", certificate-authority-data: Q0E=, tls-server-name: inner.example}
contexts:
- name: one
  context: {cluster: a, user: red, namespace: team}
- name: two
  context: {cluster: b, user: blue}
users:
- name: red
  user: {token: first-token, unknown-field: 1}
)";

constexpr const char* second = R"(apiVersion: v1
kind: Config
current-context: two
clusters:
- name: a
  cluster: {server: "https://other.example"}
- name: b
  cluster: {server: "https://b.example/k8s/clusters/c-1", proxy-url: "http://proxy.example:3128"}
users:
- name: red
  user: {token: second-token, as: somebody}
- name: blue
  user:
    token: blue-token
    as: jane
    as-uid: "7"
    as-groups: [dev, ops]
    as-user-extra: {reason/why: [because]}
)";

Kubeconfig merged(std::initializer_list<const char*> texts) {
  Kubeconfig out;
  int number = 0;
  for (const char* text : texts) kube::merge(out, text, "/etc/kube/config-" + std::to_string(++number));
  return out;
}

std::string one_user(const std::string& user, const std::string& cluster = "server: 'https://a.example'") {
  return "current-context: x\nclusters: [{name: c, cluster: {" + cluster +
         "}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {" + user + "}}]\n";
}

std::string message_of(const std::string& text) {
  try {
    kube::choose(merged({text.c_str()}), "");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.message();
  }
  FAIL("an error is wanted");
  return {};
}

/// Surroundings of a test's own.
struct World {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  std::map<std::string, std::string> variables;

  [[nodiscard]] std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  void file(const std::string& name, std::string_view text) const { fs::write_file(folder.path() / name, text); }
  [[nodiscard]] kube::Surroundings surroundings() const {
    return {[this](const char* name) -> const char* {
              const auto found = variables.find(name);
              return found == variables.end() ? nullptr : found->second.c_str();
            },
            folder.path().string()};
  }
  kube::Config load(const kube::Choice& choice = {}) const { return kube::load(choice, surroundings()); }
};

}  // namespace

TEST_CASE("of several kubeconfig files the first wins, entry by entry and never field by field") {
  const auto files = merged({first, second});
  const auto one = kube::choose(files, "");
  CHECK(one.server.text() == "https://a.example:6443/");
  CHECK(one.ca_certificates == "CA");
  CHECK(one.tls_server_name == "inner.example");
  CHECK(one.ns == "team");
  CHECK(one.account == "user 'red' of context 'one'");
  CHECK(one.credentials->current().token.reveal() == "first-token");
  CHECK(one.impersonation.empty());  // that of the second file's red
  const auto turned = kube::choose(merged({second, first}), "");
  CHECK(turned.server.text() == "https://b.example/k8s/clusters/c-1");
}

TEST_CASE("another context brings its own cluster, proxy and impersonation") {
  const auto two = kube::choose(merged({first, second}), "two");
  CHECK(two.server.path() == "/k8s/clusters/c-1");
  CHECK(two.proxy->reveal() == "http://proxy.example:3128");
  CHECK(two.ns == "default");
  const std::vector<std::pair<std::string, std::string>> wanted{{"Impersonate-User", "jane"},
                                                                {"Impersonate-Uid", "7"},
                                                                {"Impersonate-Group", "dev"},
                                                                {"Impersonate-Group", "ops"},
                                                                {"Impersonate-Extra-reason%2Fwhy", "because"}};
  CHECK(two.impersonation == wanted);
  CHECK(two.account == "'jane', as whom user 'blue' of context 'two' speaks");
}

TEST_CASE("what a kubeconfig asks for and is not done here is refused in one clear line") {
  CHECK_THAT(message_of(one_user("token: t", "server: 'https://a.example', insecure-skip-tls-verify: true")),
             Catch::Contains("TLS is always verified") && Catch::Contains("certificate-authority-data"));
  CHECK_THAT(message_of(one_user("auth-provider: {name: gcp}")), Catch::Contains("auth-provider no longer"));
  CHECK_THAT(message_of(one_user("username: u, password: sesame")),
             Catch::Contains("username and password no longer") && !Catch::Contains("sesame"));
  CHECK_THAT(message_of(one_user("client-certificate-data: QQ==")), Catch::Contains("belong together"));
  CHECK_THAT(message_of(one_user("as-groups: [a]")), Catch::Contains("need `as`"));
  CHECK_THAT(message_of(one_user("client-certificate-data: QQ==, client-key-data: 'se?same'")),
             Catch::Contains("client-key-data") && Catch::Contains("no base64") && !Catch::Contains("se?same"));
  const auto exec = [](const std::string& fields) {
    return message_of(one_user("exec: {command: c, " + fields + "}"));
  };
  CHECK_THAT(exec("apiVersion: client.authentication.k8s.io/v1alpha1"), Catch::Contains("v1beta1"));
  CHECK_THAT(exec("apiVersion: client.authentication.k8s.io/v1"), Catch::Contains("lacks interactiveMode"));
  CHECK_THAT(exec("apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always"), Catch::Contains("terminal"));
}

TEST_CASE("what a kubeconfig names and has not is an error that says what there is") {
  CHECK(kind_of([] { kube::choose(merged({first}), "three"); }) == ErrorKind::usage);
  try {
    kube::choose(merged({first}), "three");
  } catch (const Error& error) {
    CHECK_THAT(error.message(), Catch::Contains("no context 'three' (there is: one, two)"));
  }
  CHECK(kind_of([] { kube::choose(merged({first}), "two"); }) == ErrorKind::usage);  // its cluster is in no file
  CHECK(kind_of([] { kube::choose(merged({"{}"}), ""); }) == ErrorKind::usage);
  CHECK(kind_of([] { merged({"kind: Deployment"}); }) == ErrorKind::usage);
  CHECK(kind_of([] { merged({"clusters: {a: b}"}); }) == ErrorKind::usage);
  CHECK(kind_of([] { merged({"a: ["}); }) == ErrorKind::usage);
  CHECK(kind_of([] { kube::choose(merged({one_user("", "server: 'ftp://a'").c_str()}), ""); }) == ErrorKind::usage);
  CHECK_NOTHROW(merged({"", "\n# nothing\n", "clusters: null\nusers:\n"}));
}

TEST_CASE("a server without a scheme is of https, and a fault in an address names file, entry and field") {
  const auto config = kube::choose(merged({one_user("token: t", "server: '10.0.0.1:6443'").c_str()}), "");
  CHECK(config.server.text() == "https://10.0.0.1:6443/");
  CHECK_THAT(message_of(one_user("token: t", "server: 'a b'")),
             Catch::Contains("/etc/kube/config-1, cluster 'c'") && Catch::Contains("at /server"));
  const auto proxy = [](const std::string& url) { return "server: 'https://a.example', proxy-url: '" + url + "'"; };
  for (const std::string bad : {"ftp://x y", "proxy.example:3128", "http://", "http://p.example:port", "socks5://p/?q"})
    CHECK_THAT(message_of(one_user("token: t", proxy(bad))), Catch::Contains("at /proxy-url"));
  CHECK_THAT(message_of(one_user("token: t", proxy("ftp://me:sesame@p"))), !Catch::Contains("sesame"));
  const auto taken = [&](const std::string& url) {
    return std::string{kube::choose(merged({one_user("token: t", proxy(url)).c_str()}), "").proxy.value().reveal()};
  };
  CHECK(taken("http://me:sesame@p.example:3128/") == "http://me:sesame@p.example:3128/");
  CHECK(taken("socks5://[::1]:1080") == "socks5h://[::1]:1080");
}

TEST_CASE("a kubeconfig may come through a pipe, and a folder is a mistake of its caller") {
  World world;
  CHECK(kind_of([&] { world.load({world.folder.path().string(), ""}); }) == ErrorKind::usage);
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const fs::Fd from{ends[0]};
  {
    const fs::Fd to{ends[1]};
    fs::write_all(to.get(), as_bytes(one_user("token: t")), "pipe");
  }
  CHECK(world.load({"/dev/fd/" + std::to_string(from.get()), ""}).server.host() == "a.example");
}

TEST_CASE("a KUBECONFIG list names each file once, and nothing where it is empty") {
  CHECK(kube::split_list("/a:/b::/a:/c") == std::vector<std::string>{"/a", "/b", "/c"});
  CHECK(kube::split_list(":").empty());
}

namespace {

const std::string a_certificate = "-----BEGIN CERTIFICATE-----\nof me\n";
const std::string a_key = "-----BEGIN PRIVATE KEY-----\nof me\n";

}  // namespace

TEST_CASE("relative paths count from the folder of the file in which they stand") {
  World world;
  world.file("ca.pem", "the CA");
  world.file("me.pem", a_certificate);
  world.file("me.key", a_key);
  world.file("token", "a token\n");
  world.file("config", one_user("client-certificate: me.pem, client-key: me.key, tokenFile: token",
                                "server: 'https://a.example', certificate-authority: ca.pem"));
  world.variables["KUBECONFIG"] = world.path("none") + ":" + world.path("config");
  const auto config = world.load();
  CHECK(config.ca_certificates == "the CA");
  auto credentials = config.credentials->current();
  CHECK(credentials.certificate == a_certificate);
  CHECK(credentials.key.reveal() == a_key);
  CHECK(credentials.token.reveal() == "a token");

  SECTION("files that rotate are read again") {
    world.file("token", "another");
    world.file("me.pem", a_certificate + "anew");
    CHECK(config.credentials->current().token.reveal() == "another");
    CHECK(config.credentials->current().certificate == a_certificate + "anew");
  }
  SECTION("a token's file that is away for a moment leaves the last token") {
    std::filesystem::remove(world.path("token"));
    CHECK(config.credentials->current().token.reveal() == "a token");
    world.file("token", "");
    CHECK(config.credentials->current().token.reveal() == "a token");
  }
}

TEST_CASE("files of a user that are not there or hold something else are told at once, and whose they are") {
  World world;
  world.variables["KUBECONFIG"] = world.path("config");
  world.file("rubbish", "nothing");
  world.file("me.pem", a_certificate);
  const auto message = [&](const std::string& fields) -> std::string {
    world.file("config", one_user(fields));
    try {
      world.load();
    } catch (const Error& error) {
      return error.message();
    }
    return {};
  };
  CHECK_THAT(message("tokenFile: none"), Catch::Contains("user 'u'") && Catch::Contains("cannot open"));
  CHECK_THAT(message("client-certificate: none, client-key: none"),
             Catch::Contains("user 'u'") && Catch::Contains("cannot open"));
  CHECK_THAT(message("client-certificate: rubbish, client-key: rubbish"),
             Catch::Contains("client-certificate holds no certificate in PEM"));
  CHECK_THAT(message("client-certificate: me.pem, client-key: rubbish"),
             Catch::Contains("client-key holds no private key in PEM"));
}

TEST_CASE("data goes before a file, and a token's file before the token") {
  World world;
  world.file("token", "from the file");
  world.file("config", one_user("token: from-the-config, tokenFile: token",
                                "server: 'https://a.example', certificate-authority: none, "
                                "certificate-authority-data: Q0E="));
  const auto config = world.load({world.path("config"), ""});
  CHECK(config.ca_certificates == "CA");
  const auto folded = one_user("token: t", "server: 'https://a.example', certificate-authority-data: \"Q0\\nE=\\n\"");
  CHECK(kube::choose(merged({folded.c_str()}), "").ca_certificates == "CA");
  CHECK(config.credentials->current().token.reveal() == "from the file");
  std::filesystem::remove(world.path("token"));
  CHECK(world.load({world.path("config"), ""}).credentials->current().token.reveal() == "from-the-config");
}

TEST_CASE("without a kubeconfig a pod's service account holds; without either it is said what to do") {
  World world;
  CHECK(kind_of([&] { world.load(); }) == ErrorKind::usage);
  CHECK(kind_of([&] { world.load({world.path("none"), ""}); }) == ErrorKind::not_found);
  world.variables["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  world.variables["KUBERNETES_SERVICE_PORT"] = "443";
  CHECK(kind_of([&] { world.load({{}, "production"}); }) == ErrorKind::usage);  // a pod's own cluster has no contexts
  CHECK(kind_of([&] { world.load(); }) == ErrorKind::not_found);                // nothing is mounted
  world.file("ca.crt", "the CA");
  world.file("namespace", "team");
  // {"sub":"system:serviceaccount:team:deployer"}
  world.file("token", "e30.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6dGVhbTpkZXBsb3llciJ9.c2ln");
  const auto config = world.load();
  CHECK(config.server.text() == "https://[fd00::1]/");
  CHECK(config.ns == "team");
  CHECK(config.account == "system:serviceaccount:team:deployer");
  CHECK(config.ca_certificates == "the CA");
  world.file("token", "rotated");
  CHECK(config.credentials->current().token.reveal() == "rotated");
  world.file("config", one_user("token: t"));
  world.variables["KUBECONFIG"] = world.path("config");
  CHECK(world.load().server.host() == "a.example");  // a kubeconfig goes before it
}

TEST_CASE("a kubeconfig may have YAML's anchors, aliases and merge keys") {
  const auto found = kube::choose(merged({R"(
x-common: &common {token: t, as: bob}
clusters:
- {name: &name c, cluster: &c {server: "https://a.example"}}
- {name: d, cluster: *c}
users: [{name: u, user: {<<: *common, as: jane}}]
contexts: [{name: *name, context: {cluster: d, user: u}}]
current-context: *name
)"}),
                                  "");
  CHECK(found.server.text() == "https://a.example/");
  CHECK(found.credentials->current().token.reveal() == "t");
  CHECK(found.impersonation.front().second == "jane");
}

TEST_CASE("who has a certificate or a token is asked for no other one by a plug-in") {
  const std::string plugin =
      ", exec: {apiVersion: client.authentication.k8s.io/v1, command: /nowhere/plugin, interactiveMode: Never}";
  const auto credentials = [&](const std::string& fields) {
    return kube::choose(merged({one_user(fields + plugin).c_str()}), "").credentials;
  };
  const std::string pem = "-----BEGIN CERTIFICATE-----";
  const std::string key = "-----BEGIN PRIVATE KEY-----";
  const auto certified = credentials("client-certificate-data: " + to_base64(as_bytes(pem)) +
                                     ", client-key-data: " + to_base64(as_bytes(key)));
  CHECK(certified->current().certificate == pem);
  CHECK(certified->current().token.empty());
  CHECK_FALSE(certified->renew());
  CHECK(credentials("token: t")->current().token.reveal() == "t");
  CHECK_THROWS_AS(credentials("as: jane")->current(), Error);  // it is asked, and is not there
}
