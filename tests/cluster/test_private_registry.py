"""A capsule in a registry that asks who we are: an init container goes there with Secret capsule-registry, a node with the pod's imagePullSecrets."""
import base64
import json
import unittest

from deploy_case import DeployCase
from registry_server import PROGRAM, DockerRegistry
from warm_capsule import RUNNER

DENIED = 13
HOST = "10.99.0.1:5001"
USER, PASSWORD = "robot", "s3cret-of-the-registry"
REACHED = ("--insecure-registry", HOST)
LOGIN = {"auths": {HOST: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}


class PrivateRegistry(DeployCase):
    on_node = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.folder / "login.json"
        cls.file.write_text(json.dumps(LOGIN))
        cls.login = {"REGISTRY_AUTH_FILE": str(cls.file)}
        cls.start_registry()
        package = cls.maker.make("locked", "1.0.0", files={"expansion/m/runner.py": RUNNER.encode(), "expansion/m/model.pt": b"small"}, prewarm=True)
        done = cls.inside("publish", package, "--registry", f"oci://{HOST}/team", "--key", cls.maker.public_key, "--state", cls.folder / "state", *REACHED, env=cls.login)
        assert done.code == 0, done
        cls.reference = done.result["reference"]

    @classmethod
    def start_registry(cls):
        """Beside the cluster's own one, over plain http, which containerd is told."""
        server = DockerRegistry(htpasswd={USER: PASSWORD}, address=HOST.partition(":")[0])
        cls.addClassCleanup(server.temporary.cleanup)
        server.port = HOST.partition(":")[2]
        configuration = server.folder / "config.yml"
        configuration.write_text(json.dumps(server.configuration()))
        hosts = cls.cluster.node.folder / "registries" / HOST
        hosts.mkdir(exist_ok=True)
        (hosts / "hosts.toml").write_text(f'server = "http://{HOST}"\n')
        cls.addClassCleanup(cls.cluster.processes.stop, "private-registry")
        cls.cluster._start("private-registry", [PROGRAM, "serve", configuration])

    def test_each_has_a_login_of_its_own(self):
        self.assertIn(HOST, self.denied())
        self.must("create", "secret", "generic", "capsule-registry", "--type=kubernetes.io/dockerconfigjson", f"--from-file=.dockerconfigjson={self.file}")
        record = self.record_of()

        line = self.denied("--capsule-volume", "image")
        self.assertRegex(line, f"the image {HOST}/team/locked@sha256:[0-9a-f]{{64}} cannot be had .*have its imagePullSecrets a login there")
        self.must("create", "secret", "docker-registry", "capsule-images", f"--docker-server={HOST}", f"--docker-username={USER}", f"--docker-password={PASSWORD}")
        self.must("patch", "serviceaccount", "default", "-p", '{"imagePullSecrets": [{"name": "capsule-images"}]}')
        self.assertEqual(record, self.record_of("--capsule-volume", "image"))

    def denied(self, *more):
        """The last words of a deploy, which itself has a login."""
        done = self.deploy(self.reference, *REACHED, *more, env=self.login)
        self.assertEqual(DENIED, done.code, done)
        return done.stderr.splitlines()[-1]

    def record_of(self, *more):
        done = self.deploy(self.reference, *REACHED, *more, env=self.login)
        self.assertEqual(0, done.code, done)
        return done.result["run_record"]


if __name__ == "__main__":
    unittest.main()
