"""A blob that another repository of the same registry holds is mounted from there, not sent again."""
import json
import os
import re
import unittest

from capsule_maker import tar_of
from fault_case import LARGE, MIB, FaultCase
from fault_registry import Fault
from registry_server import DockerRegistry
from steps import environment, run
from token_server import TokenServer

USER, PASSWORD = "user", "s3cret"


class MountCase(FaultCase):
    """Two capsules of different names with the same weights, in two large blobs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        weights = (cls.maker.folder / "large-0.1.0" / LARGE).read_bytes()
        cls.renamed = cls.maker.package(cls.maker.capsule("renamed", files={LARGE: weights}))

    def published(self, package, registry=None):
        done = self.publish(package, registry)
        self.assertEqual(done.code, 0, done)
        return done.result

    def received_for(self, package):
        before = self.registry.received()
        self.published(package)
        return self.registry.received() - before

    def mounts(self):
        return [seen for seen in self.registry.seen("POST", "/blobs/uploads/$") if "mount=" in seen.query]


class Mounts(MountCase):
    def test_a_capsule_under_another_name_sends_no_weights(self):
        self.published(self.large)
        self.assertLess(self.received_for(self.renamed), 64 << 10)
        self.assertEqual([(seen.status, re.findall("from=([^&]*)", seen.query)) for seen in self.mounts()],
                         [(201, ["team%2Flarge"])] * 2)
        self.assertEqual(self.download("renamed").code, 0)

    def test_two_capsules_share_their_base_image(self):
        base = tar_of({"usr/lib/base": os.urandom(3 * MIB)})
        first, second = (self.maker.make(name, tarball=base) for name in ("based", "based-too"))
        self.published(first)
        self.assertLess(self.received_for(second), 64 << 10)

    def test_from_one_place_of_a_registry_to_another_with_a_state_that_knows_nothing(self):
        reference = self.published(self.large)["reference"]
        before = self.registry.received()
        done = run("publish", reference, "--registry", self.registry.location("released"), "--key", self.maker.public_key,
                   "--state", self.folder / "fresh", env=environment(HOME=str(self.folder)))
        self.assertEqual(done.code, 0, done)
        self.assertLess(self.registry.received() - before, 64 << 10)
        self.assertLess(done.result["bytes_written"], MIB)

    def test_a_mount_that_is_not_done_is_an_upload(self):
        self.published(self.large)
        self.registry.mounts = False
        self.assertGreater(self.received_for(self.renamed), 70 * MIB)
        self.assertEqual([seen.status for seen in self.mounts()], [202, 202])
        self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))

    def test_a_mount_that_is_refused_is_an_upload(self):
        self.published(self.large)
        for fault in (Fault("POST", "mount=", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}, times=-1),
                      Fault("POST", "mount=", status=403, times=-1), Fault("POST", "mount=", status=404, times=-1),
                      Fault("POST", "mount=", status=405, times=-1)):
            with self.subTest(fault):
                self.registry.faults[:] = [fault]
                self.assertGreater(self.received_for(self.renamed), 70 * MIB)
                self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))
                del self.registry.content.repositories["team/renamed"]

    def test_a_holder_that_lost_it(self):
        self.published(self.large)
        del self.registry.content.repositories["team/large"]
        self.assertGreater(self.received_for(self.renamed), 70 * MIB)

    def test_records_that_are_junk(self):
        self.published(self.large)
        records = sorted((self.state / "uploads").glob("*.holders"))
        self.assertTrue(records)
        for junk in (b"", b"[", b"\0" * 8192, b'{"repositories":["../x","A","a b",3]}',
                     json.dumps({"repositories": ["a/" * 200 + "a"]}).encode()):
            with self.subTest(junk[:40]):
                for record in records:
                    record.write_bytes(junk)
                self.assertGreater(self.received_for(self.renamed), 70 * MIB)
                self.assertEqual(self.mounts(), [])
                del self.registry.content.repositories["team/renamed"]
        for record in (self.state / "uploads").glob("*.holders"):
            record.unlink()
            record.mkdir()
        self.published(self.renamed)


class DockerMounts(MountCase):
    def mounted(self, registry, name):
        return [line for line in registry.log_lines("POST") if f"/{name}/blobs/uploads/?" in line and "mount=" in line and " 201 " in line]

    def test_by_mount(self):
        with DockerRegistry() as registry:
            self.published(self.large, registry)
            self.assertLess(self.published(self.renamed, registry)["bytes_written"], 64 << 10)
            self.assertEqual(len(self.mounted(registry, "renamed")), 2)
            self.assertEqual([line for line in registry.log_lines("PATCH") if "/renamed/" in line], [])
            self.assertEqual(self.download("renamed", registry).code, 0)

    def test_a_source_that_may_not_be_read(self):
        with TokenServer({USER: PASSWORD}) as tokens, DockerRegistry(token=tokens.for_registry()) as registry:
            (self.folder / ".docker").mkdir()
            (self.folder / ".docker/config.json").write_text(json.dumps(
                {"auths": {registry.host: {"username": USER, "password": PASSWORD}}}))
            self.published(self.large, registry)
            tokens.grants[USER] = {"team/renamed": {"pull", "push"}}
            self.assertGreater(self.published(self.renamed, registry)["bytes_written"], 70 * MIB)
            self.assertEqual(self.mounted(registry, "renamed"), [])
            self.assertIn("repository:team/large:pull", tokens.scopes())


if __name__ == "__main__":
    unittest.main()
