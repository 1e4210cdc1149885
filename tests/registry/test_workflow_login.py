"""The loops against a registry that asks who we are: Secret capsule-registry and ConfigMap capsule-registry-ca, as the templates mount them."""
import base64
import json
import tempfile
import unittest
from pathlib import Path

from certificates import make_certificate
from loop import LOOPS, Loop, sample_capsule
from registry_server import DockerRegistry
from steps import run

USER, PASSWORD = "robot", "s3cret-of-the-registry"
ENCODED = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class LoopWithLogin(Loop):
    def login(self, registry):
        """The Secret, of type kubernetes.io/dockerconfigjson."""
        self.put(self.state / "secrets/capsule-registry/.dockerconfigjson", self.docker_config(registry))

    def trust_certificate(self, certificate):
        self.put(self.state / "configmaps/capsule-registry-ca/ca.crt", certificate.read_text())

    def docker_login(self, registry):
        self.put(self.folder / ".docker/config.json", self.docker_config(registry))

    def build_and_publish(self, capsule, *more, **environment):
        return run("run", LOOPS / "capsule-build.yaml", "-p", f"source={capsule}", "-p", "publish=true", "-p", f"registry={self.registry}", *more,
                   env={**self.environment, **environment})

    @staticmethod
    def docker_config(registry):
        return json.dumps({"auths": {registry.host: {"auth": ENCODED}}})

    @staticmethod
    def put(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class WorkflowLogin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.folder.chmod(0o755)
        cls.certificate, key = make_certificate(cls.folder, "registry")
        cls.registry = DockerRegistry(tls=(cls.certificate, key), htpasswd={USER: PASSWORD})
        cls.registry.__enter__()
        cls.addClassCleanup(cls.registry.__exit__, None, None, None)
        cls.capsule = sample_capsule(cls.folder)

    def loop(self):
        """With keys of its own and a base of its own in the registry."""
        name = self.id().rpartition(".")[2]
        loop = LoopWithLogin(self.folder / name)
        loop.folder.mkdir()
        loop.folder.chmod(0o755)
        loop.registry = self.registry.location(name.replace("_", "-"))
        self.done(loop.keygen())
        return loop

    def done(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)
        return self.keeps_the_secret(outcome)

    def refused(self, outcome, code, word):
        self.assertEqual(outcome.code, code, outcome)
        self.assertIn(word, outcome.stderr)
        self.keeps_the_secret(outcome)

    def keeps_the_secret(self, outcome):
        for secret in (PASSWORD, ENCODED):
            self.assertNotIn(secret, outcome.stdout + outcome.stderr)
        return outcome

    def test_both_loops_with_the_secret_and_the_authority(self):
        loop = self.loop()
        self.refused(loop.build_and_publish(self.capsule), 11, self.registry.host)
        loop.trust_certificate(self.certificate)
        self.refused(loop.build_and_publish(self.capsule), 13, f"no credentials for {self.registry.host}")
        loop.login(self.registry)
        built = self.done(loop.build_and_publish(self.capsule)).result
        loop.package = built["package"]
        deployed = self.done(loop.deploy()).result
        self.assertEqual(deployed["reference"], built["reference"])
        self.assertTrue(deployed["reference"].startswith(f"{loop.registry}/m2n2-metal@sha256:"), deployed)
        # From the registry alone: download, too, has to say who it is.
        loop.package = built["reference"]
        self.assertEqual(self.done(loop.deploy()).result["run_record"], deployed["run_record"])
        holders = {path.relative_to(loop.folder) for path in loop.folder.rglob("*") if path.is_file()
                   and any(secret.encode() in path.read_bytes() for secret in (PASSWORD, ENCODED))}
        self.assertEqual(holders, {Path("state/secrets/capsule-registry/.dockerconfigjson")})

    def test_a_wrong_password_is_refused_by_the_name_of_the_secret(self):
        loop = self.loop()
        loop.trust_certificate(self.certificate)
        loop.put(loop.state / "secrets/capsule-registry/.dockerconfigjson",
                 json.dumps({"auths": {self.registry.host: {"username": USER, "password": "wrong-" + PASSWORD}}}))
        self.refused(loop.build_and_publish(self.capsule), 13, "secrets/capsule-registry/.dockerconfigjson")

    def test_without_a_secret_the_login_of_the_caller_counts(self):
        loop = self.loop()
        loop.docker_login(self.registry)
        self.done(loop.build_and_publish(self.capsule, CAPSULE_REGISTRY_CA=str(self.certificate)))

    def test_a_folder_of_the_authority_may_be_empty(self):
        """As an optional ConfigMap that is not there is mounted: then the system's certificates count."""
        loop = self.loop()
        loop.docker_login(self.registry)
        folder = loop.folder / "ca"
        folder.mkdir()
        self.refused(loop.build_and_publish(self.capsule, CAPSULE_REGISTRY_CA=str(folder)), 11, self.registry.host)
        (folder / "ca.crt").write_bytes(self.certificate.read_bytes())
        self.done(loop.build_and_publish(self.capsule, CAPSULE_REGISTRY_CA=str(folder)))


class PlainHttp(unittest.TestCase):
    def test_hosts_that_the_workflow_names(self):
        """Beyond loopback by name: registry.localhost is one that libcurl itself resolves."""
        with tempfile.TemporaryDirectory() as name, DockerRegistry() as registry:
            loop = LoopWithLogin(name)
            host = f"registry.localhost:{registry.port}"
            loop.registry = f"oci://{host}/team"
            self.assertEqual(loop.keygen().code, 0)
            capsule = sample_capsule(name)
            done = loop.build_and_publish(capsule, "-p", f"insecure-registry=other.localhost,{host}")
            self.assertEqual(done.code, 0, done)
            self.assertEqual(registry.tags("team/m2n2-metal").count("0.1.0"), 1)


if __name__ == "__main__":
    unittest.main()
