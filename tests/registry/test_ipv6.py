"""A registry at an IPv6 address: one spelling, in brackets, for every option and reference."""
import socket
import tempfile
import unittest
from pathlib import Path

from registry_server import DockerRegistry
from small_loop import SmallLoop

UNPROVED = {"text": None, "claims": None, "proof_policy": {"required": False, "types": []}}


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@unittest.skipUnless(has_ipv6(), "this machine has no ::1")
class Ipv6(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        folder = Path(temporary.name)
        folder.chmod(0o755)
        cls.registry = DockerRegistry(address="::1")
        cls.registry.__enter__()
        cls.addClassCleanup(cls.registry.__exit__)
        cls.loop = SmallLoop(folder / "loop")
        cls.loop.place = cls.registry.location("team/metals")
        cls.loop.publish(**UNPROVED)
        cls.loop.reference = cls.loop.publish(**UNPROVED, version="1.1.0")

    def ok(self, done):
        self.assertEqual(0, done.code, done)
        return done

    def test_published_registered_and_found_by_every_kind_of_name(self):
        place = f"[::1]:{self.registry.port}/team/metals"
        self.assertTrue(self.loop.reference.startswith(f"oci://{place}/probe@sha256:"))
        self.ok(self.loop.step("register", "--", self.loop.reference))
        beside = self.ok(self.loop.step("register", "resolve", "capsule://probe:1.1.0", "--registry", place)).result
        self.assertEqual(beside["reference"], self.loop.reference)
        for number, name in enumerate((f"capsule://{place}/probe:1.1.0", f"capsule://{place}/probe:latest",
                                       f"oci://{place}/probe:1.1.0", self.loop.reference)):
            with self.subTest(name):
                self.ok(self.loop.step("verify", name, "--trust", self.loop.trust))
                self.ok(self.loop.step("download", name, "--store", self.loop.folder / f"store-{number}"))
        listed = self.ok(self.loop.step("register", "list", "--registry", f"oci://{place}")).result["capsules"]
        self.assertEqual([one["name"] for one in listed], ["probe"])

    def test_named_for_plain_http_in_any_spelling(self):
        name = self.registry.location("team/metals") + "/probe:1.0.0"
        for host in ("[::1]", f"[::1]:{self.registry.port}", f"[0:0:0:0:0:0:0:1]:{self.registry.port}"):
            with self.subTest(host):
                done = self.ok(self.loop.step("verify", name, "--trust", self.loop.trust, "--insecure-registry", host))
                self.assertNotIn("speaks", done.stderr)
        done = self.ok(self.loop.step("verify", name, "--trust", self.loop.trust, "--insecure-registry", "[::2]"))
        self.assertIn(f"the registry [::1]:{self.registry.port} speaks plain http", done.stderr)

    def test_no_second_spelling_of_a_place(self):
        for host in ("[0:0:0:0:0:0:0:1]:5000", "[::1%25lo]:5000", "[::1%lo]:5000", "::1", "[::ffff:127.0.0.1]:5000", "[::1]5000"):
            for name in (f"oci://{host}/team/probe:1.0.0", f"capsule://{host}/team/probe:1.0.0"):
                with self.subTest(name):
                    done = self.loop.step("verify", name, "--trust", self.loop.trust)
                    self.assertEqual((2, 1), (done.code, len(done.stderr.splitlines())), done)


if __name__ == "__main__":
    unittest.main()
