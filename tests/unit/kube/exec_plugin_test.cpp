#include "kube/exec_plugin.hpp"

#include <catch2/catch.hpp>

#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr const char* v1 = "client.authentication.k8s.io/v1";

/// A plug-in that is a shell script.
struct Plugin {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  kube::ExecPlugin plugin{"", {}, {}, v1, "install it from the shop", {}};

  explicit Plugin(const std::string& script) {
    plugin.command = (folder.path() / "plugin").string();
    fs::write_file(plugin.command, "#!/bin/sh\n" + script, 0755);
  }
};

std::string credential(const std::string& status, const std::string& version = v1) {
  return "echo '{\"apiVersion\": \"" + version + "\", \"kind\": \"ExecCredential\", \"status\": " + status + "}'";
}

Error failure_of(const kube::ExecPlugin& plugin, std::chrono::milliseconds patience = 10s) {
  try {
    kube::run_exec_plugin(plugin, patience);
  } catch (const Error& error) {
    CHECK_THAT(error.message(), !Catch::Contains("sesame"));
    return error;
  }
  FAIL("an error is wanted");
  throw;
}

}  // namespace

TEST_CASE("a credential plug-in gives a token, or a certificate with its key, and says until when") {
  const Plugin token{credential(R"({"token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z"})")};
  const auto given = kube::run_exec_plugin(token.plugin);
  CHECK(given.credentials.token.reveal() == "t");
  CHECK(given.expires == parse_time("2030-01-01T00:00:00Z"));
  const Plugin certificate{credential(R"({"clientCertificateData": "c", "clientKeyData": "k"})")};
  CHECK(kube::run_exec_plugin(certificate.plugin).credentials.key.reveal() == "k");
}

TEST_CASE("a credential plug-in may answer in YAML, and one that does not start is named") {
  const Plugin in_yaml{"printf 'apiVersion: %s\\nkind: ExecCredential\\nstatus:\\n  token: t\\n' " + std::string{v1}};
  CHECK(kube::run_exec_plugin(in_yaml.plugin).credentials.token.reveal() == "t");
  const Plugin broken{""};
  fs::write_file(broken.plugin.command, "no program", 0755);
  const auto error = failure_of(broken.plugin);
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.message(), Catch::Contains("credential plug-in " + broken.plugin.command));
}

TEST_CASE("a credential plug-in sees what it is asked for, its variables and its arguments") {
  Plugin wanting{R"(case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*'"server":"https://a"'*) ;; *) exit 3;; esac
[ "$MINE" = yes ] && [ "$1" = get ] && [ -z "$CAPSULE_SECRET" ] || exit 4
)" + credential(R"({"token": "t"})")};
  ::setenv("CAPSULE_SECRET", "x", 1);  // NOLINT(concurrency-mt-unsafe)
  wanting.plugin.environment = {{"MINE", "yes"}};
  wanting.plugin.arguments = {"get"};
  wanting.plugin.cluster = json::Object{{"server", "https://a"}};
  CHECK(kube::run_exec_plugin(wanting.plugin).credentials.token.reveal() == "t");
}

TEST_CASE("a credential plug-in that is missing, fails, hangs or writes something else is an error without its words") {
  Plugin missing{""};
  missing.plugin.command += "-none";
  const auto none = failure_of(missing.plugin);
  CHECK(none.kind() == ErrorKind::usage);
  CHECK_THAT(none.message(), Catch::Contains("install it from the shop"));
  missing.plugin.command = "no-such-credential-plugin";
  CHECK(failure_of(missing.plugin).kind() == ErrorKind::usage);

  const auto failed = failure_of(Plugin{"echo sesame; exit 7"}.plugin);
  CHECK(failed.kind() == ErrorKind::denied);
  CHECK_THAT(failed.message(), Catch::Contains("exit code 7"));
  CHECK(failure_of(Plugin{"sleep 30"}.plugin, 200ms).kind() == ErrorKind::timed_out);
  CHECK(failure_of(Plugin{"yes sesame"}.plugin).kind() == ErrorKind::denied);
  for (const auto& output :
       {std::string{"echo sesame"}, credential("{}"), credential(R"({"clientKeyData": "sesame"})"),
        credential(R"({"token": "sesame"})", "client.authentication.k8s.io/v1beta1"),
        credential(R"({"token": "sesame", "expirationTimestamp": "tomorrow"})"), std::string{"echo '{\"kind\": 1}'"}}) {
    CAPTURE(output);
    CHECK(failure_of(Plugin{output}.plugin).kind() == ErrorKind::denied);
  }
}

TEST_CASE("a credential plug-in is asked again when what it gave has expired or was refused") {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto count = (folder.path() / "count").string();
  const auto script = [&](const std::string& expires) {
    return "echo x >> " + count + "\n" + R"(echo "{\"apiVersion\": \"client.authentication.k8s.io/v1\", )" +
           R"(\"kind\": \"ExecCredential\", \"status\": {\"token\": \"t$(wc -l < )" + count + R"()\", )" +
           R"(\"expirationTimestamp\": \")" + expires + R"(\"}}")";
  };
  const auto source_of = [](const Plugin& plugin) {
    const json::Value exec =
        json::Object{{"command", plugin.plugin.command}, {"apiVersion", v1}, {"interactiveMode", "Never"}};
    return kube::exec_plugin(json::Cursor{exec, "test"}, "/config", {});
  };
  const Plugin lasting{script("2100-01-01T00:00:00Z")};
  const auto source = source_of(lasting);
  CHECK(source->current().token.reveal() == "t1");
  CHECK(source->current().token.reveal() == "t1");
  CHECK(source->renew());
  CHECK(source->current().token.reveal() == "t2");
  const Plugin expired{script("2020-01-01T00:00:00Z")};
  const auto short_lived = source_of(expired);
  CHECK(short_lived->current().token.reveal() == "t3");
  CHECK(short_lived->current().token.reveal() == "t4");
}
