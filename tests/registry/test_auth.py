"""Who we are for a registry, and where that may go: docker-registry with htpasswd, tokens and TLS, and one that lies."""
import base64
import json
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from certificates import make_certificate
from fault_registry import Fault, FaultRegistry
from registry_server import DockerRegistry
from steps import environment, run
from token_server import TokenServer

USER, PASSWORD = "user", "s3cret-pass:word"
BASE = "team"


def encoded(user=USER, password=PASSWORD):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class LoginTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.maker = Maker(self.folder)
        self.package = self.maker.make()
        self.home = self.folder / "home"
        self.home.mkdir()
        self.secrets = [PASSWORD, encoded()]

    def started(self, server):
        server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def environment(self, **more):
        return environment(**{"HOME": str(self.home), "CAPSULE_STATE": str(self.folder / "state"), **more})

    def config(self, registry, name=".docker/config.json", **entry):
        """Credentials as docker login leaves them; in the home unless `name` says elsewhere."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": {registry.host: entry or {"auth": encoded()}}}), encoding="utf-8")
        return path

    def step(self, name, *arguments, env=None):
        done = run(name, *arguments, "--key", self.maker.public_key, env=env or self.environment())
        for secret in self.secrets:
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done

    def publish(self, registry, *more, env=None, base=BASE):
        return self.step("publish", self.package, "--registry", registry.location(base), *more, env=env)

    def download(self, registry, *more, env=None, base=BASE):
        return self.step("download", registry.location(base) + "/demo:0.1.0", "--store", self.folder / "downloads", *more, env=env)

    def done(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)
        return outcome

    def refused(self, outcome, code=13, word=""):
        self.assertEqual(outcome.code, code, outcome)
        self.assertIn(word, outcome.stderr)
        self.assertEqual(len([line for line in outcome.stderr.splitlines() if "error:" in line]), 1, outcome)

    def nothing_left(self, registry):
        self.assertEqual(registry.tags("team/demo"), [])
        self.assertEqual(registry.uploads("team/demo"), [])
        self.assertEqual(registry.blobs(), set())


class Basic(LoginTest):
    def setUp(self):
        super().setUp()
        self.registry = self.started(DockerRegistry(htpasswd={USER: PASSWORD}))

    def test_docker_login_is_enough(self):
        self.refused(self.publish(self.registry), word=f"no credentials for {self.registry.host}")
        self.nothing_left(self.registry)
        self.config(self.registry, auth=encoded(password="wrong"))
        self.secrets.append(encoded(password="wrong"))
        self.refused(self.publish(self.registry), word=".docker/config.json")
        self.nothing_left(self.registry)
        self.config(self.registry)
        done = self.done(self.publish(self.registry))
        self.assertIn(f"the registry {self.registry.host} speaks plain http", done.stderr)
        self.assertEqual(self.registry.tags("team/demo").count("0.1.0"), 1)
        self.done(self.download(self.registry))

    def test_files_that_the_environment_names_are_the_only_ones(self):
        self.config(self.registry)
        named = self.config(self.registry, "elsewhere/config.json")
        empty = self.folder / "empty.json"
        empty.write_text("{}", encoding="utf-8")
        self.refused(self.publish(self.registry, env=self.environment(REGISTRY_AUTH_FILE=str(empty))), word=str(empty))
        self.refused(self.publish(self.registry, env=self.environment(DOCKER_CONFIG=str(self.folder))))
        self.done(self.publish(self.registry, env=self.environment(DOCKER_CONFIG=str(named.parent))))
        self.done(self.download(self.registry, env=self.environment(REGISTRY_AUTH_FILE=str(named))))

    def test_podman_login_too(self):
        self.config(self.registry, ".config/containers/auth.json")
        self.done(self.publish(self.registry))

    def test_a_broken_file_is_named_and_not_shown(self):
        path = self.config(self.registry, auth="!" + PASSWORD)
        self.refused(self.publish(self.registry), 2, str(path))
        self.nothing_left(self.registry)

    def test_a_credential_helper(self):
        programs = self.folder / "programs"
        programs.mkdir()
        helper = programs / "docker-credential-test"
        helper.write_text(f"#!/bin/sh\nread -r server; [ \"$1 $server\" = 'get {self.registry.host}' ] || exit 4\n"
                          f"echo '{json.dumps({'Username': USER, 'Secret': PASSWORD})}'\n", encoding="utf-8")
        helper.chmod(0o755)
        path = self.home / ".docker/config.json"
        path.parent.mkdir()
        env = self.environment()
        env["PATH"] = f"{programs}:{env['PATH']}"
        for config in ({"credsStore": "test"}, {"credHelpers": {self.registry.host: "test"}, "credsStore": "absent"}):
            with self.subTest(config):
                path.write_text(json.dumps(config), encoding="utf-8")
                self.done(self.publish(self.registry, env=env))
        self.refused(self.publish(self.registry), 2, "docker-credential-test is not in PATH")
        helper.write_text(f"#!/bin/sh\necho {PASSWORD}; echo {PASSWORD} >&2; exit 1\n", encoding="utf-8")
        self.refused(self.publish(self.registry, env=env), word="docker-credential-test")


class Tokens(LoginTest):
    def setUp(self):
        super().setUp()
        self.tokens = self.started(TokenServer({USER: PASSWORD, "reader": PASSWORD}))
        self.registry = self.started(DockerRegistry(token=self.tokens.for_registry()))

    def step(self, *arguments, **keywords):
        done = super().step(*arguments, **keywords)
        for token in self.tokens.issued:
            self.assertNotIn(token, done.stdout + done.stderr)
        return done

    def test_push_and_pull(self):
        self.tokens.grants[""] = {}
        self.refused(self.publish(self.registry), word="no credentials")
        self.nothing_left(self.registry)
        self.config(self.registry)
        self.done(self.publish(self.registry))
        self.assertIn("repository:team/demo:pull,push", self.tokens.scopes())
        self.assertEqual({asked.user for asked in self.tokens.asked if asked.user}, {USER})
        before = len(self.tokens.asked)
        self.done(self.download(self.registry))
        self.assertEqual(set(self.tokens.scopes()[before:]), {"repository:team/demo:pull"})
        self.assertLess(len(self.tokens.asked) - before, 4)

    def test_who_may_only_read(self):
        self.config(self.registry)
        self.done(self.publish(self.registry))
        self.tokens.grants["reader"] = self.tokens.grants[""] = {"team/demo": {"pull"}}
        path = self.config(self.registry, auth=encoded("reader"))
        self.secrets.append(encoded("reader"))
        self.done(self.download(self.registry))
        self.package = self.maker.make(version="0.2.0")
        self.refused(self.publish(self.registry), word=str(path))
        self.assertNotIn("0.2.0", self.registry.tags("team/demo"))
        path.unlink()
        self.done(self.download(self.registry))  # nobody may read too

    def test_a_wrong_password(self):
        path = self.config(self.registry, auth=encoded(password="wrong"))
        self.secrets.append(encoded(password="wrong"))
        self.refused(self.publish(self.registry), word=f"it does not accept the credentials of {path}")
        self.nothing_left(self.registry)

    def test_an_identity_token(self):
        self.tokens.identity_tokens["s3cret-refresh/token"] = USER
        self.secrets.append("s3cret-refresh")
        self.config(self.registry, auth=encoded("<token>", ""), identitytoken="s3cret-refresh/token")
        self.done(self.publish(self.registry))
        self.assertEqual({asked.method for asked in self.tokens.asked}, {"POST"})
        self.config(self.registry, identitytoken="s3cret-refresh/other")
        self.refused(self.publish(self.registry))

    def test_a_token_server_that_misbehaves(self):
        self.config(self.registry)
        for answer, code in (((200, (), PASSWORD.encode()), 10), ((500, (), PASSWORD.encode()), 40),
                             ((302, (("Location", "/other"),), b""), 10)):
            with self.subTest(answer):
                self.tokens.answers_with = answer
                self.refused(self.download(self.registry, "--registry-timeout", "1s"), code)


class Elsewhere(LoginTest):
    """Attacks 9 and 10."""

    def test_a_realm_at_another_host(self):
        tokens = self.started(TokenServer({USER: PASSWORD}))
        port = tokens.server.server_address[1]
        registry = self.started(DockerRegistry(token=tokens.for_registry(f"http://localhost:{port}/token")))
        self.config(registry)
        self.refused(self.publish(registry), word="--auth-host localhost")
        self.refused(self.publish(registry, "--auth-host", "localhost:1"), word="--auth-host localhost")
        self.assertEqual(tokens.asked, [])
        self.nothing_left(registry)
        self.done(self.publish(registry, "--auth-host", f"localhost:{port}"))

    def test_realms_that_are_never_asked(self):
        for realm, code in (("http://169.254.169.254/latest/meta-data", 13), ("https://10.0.0.1/token", 13),
                            ("http://registry.example.com/token", 13), ("file:///etc/passwd", 10), ("", 10)):
            with self.subTest(realm), FaultRegistry() as registry:
                self.config(registry)
                challenge = f'Bearer realm="{realm}",service="x"'
                registry.faults.append(Fault(times=-1, status=401, headers={"WWW-Authenticate": challenge}))
                self.refused(self.download(registry), code)
                self.refused(self.publish(registry), code)

    def test_an_address_that_is_not_for_it_even_when_named(self):
        with FaultRegistry() as registry:
            self.config(registry)
            challenge = 'Bearer realm="https://169.254.169.254/token",service="x"'
            registry.faults.append(Fault(times=-1, status=401, headers={"WWW-Authenticate": challenge}))
            self.refused(self.download(registry, "--auth-host", "169.254.169.254"), word="its address is not one")

    def test_an_upload_to_another_host(self):
        with FaultRegistry() as registry, FaultRegistry() as other:
            port = other.host.rpartition(":")[2]
            registry.location_origin = f"http://localhost:{port}"
            self.refused(self.publish(registry), word="--auth-host localhost")
            self.assertEqual(other.requests, [])
            self.assertEqual(registry.content.repository("team/demo").tags, {})

    def test_another_port_gets_no_credentials(self):
        with FaultRegistry(token=(USER, PASSWORD)) as registry, FaultRegistry() as other:
            self.config(registry)
            self.done(self.publish(registry))
            registry.redirect_blobs = other.url()
            self.download(registry)
            asked = other.seen("GET")
            self.assertGreater(len(asked), 0)
            self.assertEqual([seen for seen in other.requests if "authorization" in seen.headers], [])

    def test_tokens_that_expire_in_mid_upload(self):
        with FaultRegistry(token=(USER, PASSWORD)) as registry:
            registry.token_uses = 12  # three segments go at once, each with several requests
            self.config(registry)
            self.done(self.publish(registry))
            self.assertGreater(len(registry.tokens), 1)
            self.done(self.download(registry))

    def test_what_a_registry_echoes(self):
        with FaultRegistry(token=(USER, PASSWORD)) as registry:
            self.config(registry)
            registry.faults.append(Fault("POST", status=403, times=-1,
                                         body=json.dumps({"errors": [{"code": "DENIED", "message": PASSWORD}]}).encode()))
            self.refused(self.publish(registry))


class Tls(LoginTest):
    def setUp(self):
        super().setUp()
        self.certificate = make_certificate(self.folder, "registry")

    def test_with_a_given_authority(self):
        tokens = self.started(TokenServer({USER: PASSWORD}, tls=self.certificate))
        registry = self.started(DockerRegistry(tls=self.certificate, token=tokens.for_registry()))
        self.config(registry)
        self.refused(self.publish(registry), 11, "--registry-ca")
        self.nothing_left(registry)
        self.done(self.publish(registry, "--registry-ca", self.certificate[0]))
        self.done(self.download(registry, "--registry-ca", self.certificate[0]))
        self.done(self.download(registry, env=self.environment(SSL_CERT_FILE=str(self.certificate[0]))))
        self.refused(self.download(registry, "--registry-ca", self.folder / "none.pem"), 2)

    def test_never_from_https_to_http(self):
        tokens = self.started(TokenServer({USER: PASSWORD}))
        registry = self.started(DockerRegistry(tls=self.certificate, token=tokens.for_registry()))
        self.config(registry)
        self.refused(self.publish(registry, "--registry-ca", self.certificate[0]), word="plain http")
        self.refused(self.publish(registry, "--registry-ca", self.certificate[0], "--auth-host", "127.0.0.1"), word="plain http")
        self.assertEqual(tokens.asked, [])

    def test_a_certificate_that_is_not_trusted_is_no_reason_for_plain_http(self):
        registry = self.started(DockerRegistry(tls=self.certificate))
        self.refused(self.publish(registry), 11)
        self.assertNotIn("plain", self.publish(registry).stderr)


class PlainHttp(LoginTest):
    """Beyond loopback, by name: registry.localhost is one that libcurl itself resolves."""

    def at(self, registry):
        return f"registry.localhost:{registry.host.rpartition(':')[2]}"

    def publish_at(self, registry, *more):
        return self.step("publish", self.package, "--registry", f"oci://{self.at(registry)}/team", *more)

    def test_for_named_hosts_only(self):
        registry = self.started(DockerRegistry())
        strangers = ([], ["--insecure-registry", "localhost"], ["--insecure-registry", "registry.localhost:1,127.0.0.1"])
        for named in strangers:
            with self.subTest(named):
                self.refused(self.publish_at(registry, "--registry-timeout", "1s", *named), 40)
                self.assertEqual(registry.tags("team/demo"), [])
        for named in (self.at(registry), "registry.localhost"):
            with self.subTest(named):
                self.done(self.publish_at(registry, "--insecure-registry", named))
        self.refused(self.publish_at(registry, "--insecure-registry", "http://registry.localhost"), 2, "--insecure-registry")

    def test_credentials_go_there_and_to_its_domain(self):
        tokens = self.started(TokenServer({USER: PASSWORD}))
        port = tokens.server.server_address[1]
        realm = f"http://auth.registry.localhost:{port}/token"
        registry = self.started(DockerRegistry(token=tokens.for_registry(realm)))
        path = self.config(registry)
        path.write_text(path.read_text(encoding="utf-8").replace("127.0.0.1", "registry.localhost"), encoding="utf-8")
        named = ["--insecure-registry", self.at(registry)]
        self.refused(self.publish_at(registry, *named), 2, "--insecure-registry")  # the registry was named, its token server was not
        self.assertEqual(tokens.asked, [])
        self.done(self.publish_at(registry, *named, "--insecure-registry", f"auth.registry.localhost:{port}"))


if __name__ == "__main__":
    unittest.main()
