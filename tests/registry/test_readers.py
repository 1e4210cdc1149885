"""What a reader finds while a version is being published: nothing, or all of it."""
import tempfile
import threading
import time
import unittest
from pathlib import Path

import small_capsule
from fault_registry import Fault, FaultRegistry
from registry_server import DockerRegistry
from steps import run, start
from trust import Signers, rule, write_policy


class Readers(unittest.TestCase):
    """Two signatures are wanted, and the second is found only among the referrers of the version index."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        signers = Signers(self.folder)
        self.package = self.folder / "capsule.tar.gz"
        done = run("pack", small_capsule.write(self.folder / "capsule", b"weights"), "--out", self.package)
        self.assertEqual(0, done.code, done)
        signers.sign(self.package, "a", "b", "ed25519")
        keys = signers.public("a", "b", "ed25519")
        self.policy = write_policy(self.folder / "trust.yaml", capsule=[rule(keys, 3)])
        self.manifest = small_capsule.MANIFEST

    def step(self, name, *arguments, call=run):
        return call(name, *arguments, "--trust", self.policy, "--state", self.folder / name)

    def version(self, registry):
        return f"{registry.location('team')}/{self.manifest['name']}:{self.manifest['version']}"

    def read_while_publishing(self, registry):
        """The exit codes of readers, in turn, until publish has ended well."""
        publisher = self.step("publish", self.package, "--registry", registry.location("team"), call=start)
        codes = []
        while publisher.poll() is None:
            codes.append(self.step("verify", self.version(registry)).code)
        _, stderr = publisher.communicate()
        self.assertEqual(0, publisher.returncode, stderr)
        codes.append(self.step("verify", self.version(registry)).code)
        return codes

    def assert_nothing_or_all(self, codes):
        self.assertEqual(sorted(codes, reverse=True), codes)
        self.assertEqual({12, 0}, set(codes))

    def test_a_tag_is_never_seen_without_its_signatures(self):
        for referrers_api in (True, False):
            with self.subTest(referrers_api=referrers_api), FaultRegistry() as registry:
                registry.referrers_api = referrers_api
                # The tag is held before it is put, and after it: then it is seen, and publish still waits for the answer.
                registry.faults.append(Fault("PUT", f"/manifests/{self.manifest['version']}$", pause=1.5,
                                             action=lambda *_: time.sleep(0.5)))
                codes = self.read_while_publishing(registry)
                self.assert_nothing_or_all(codes)
                self.assertGreater(codes.count(0), 1)

    def test_nor_in_docker_registry(self):
        with DockerRegistry() as registry:
            self.assert_nothing_or_all(self.read_while_publishing(registry))


if __name__ == "__main__":
    unittest.main()
