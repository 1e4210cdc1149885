"""The bundles of further signers come along from a server, whose folder cannot be listed."""
import os
import tempfile
import unittest
from pathlib import Path

import small_capsule
from fault_server import FaultServer
from steps import run
from trust import Signers, rule, suffix_of, write_policy


class FurtherSigners(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.signers = Signers(self.folder)
        self.package = self.folder / "p.tar.gz"
        capsule = small_capsule.write(self.folder / "capsule", os.urandom(10_000))
        self.assertEqual(0, run("pack", capsule, "--out", self.package).code)
        self.server = FaultServer()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)

    def serve(self):
        for path in self.folder.glob("p.tar.gz*"):
            self.server.files[f"/{path.name}"] = path.read_bytes()

    def policy(self, names, threshold):
        return write_policy(self.folder / f"{names}-{threshold}.yaml", capsule=[rule(self.signers.public(*names), threshold)])

    def download(self, *arguments):
        done = run("download", self.server.url("/p.tar.gz"), "--store", self.folder / "store", *arguments)
        self.assertEqual(0, done.code, done)
        return done.result["capsule"]

    def verify(self, capsule, policy, code=0):
        done = run("verify", capsule, "--store", self.folder / "store", "--trust", policy)
        self.assertEqual(code, done.code, done)
        return done

    def test_those_that_the_policy_can_count_are_asked_for(self):
        self.signers.sign(self.package, "a", "b", "stranger")
        self.serve()
        capsule = self.download("--trust", self.policy("abc", 2))
        done = self.verify(capsule, self.policy("abc", 2))
        self.assertEqual([self.signers.id("a"), self.signers.id("b")], done.result["key_ids"])
        beside = {path.name for path in (self.folder / "store").rglob("package.tar.gz*")}
        self.assertIn(f"package.tar.gz{suffix_of(self.signers['b'][1])}.oci.sigstore.json", beside)
        self.assertFalse([name for name in beside if suffix_of(self.signers["stranger"][1]) in name])

    def test_who_signs_later_is_found_later(self):
        self.signers.sign(self.package, "a")
        self.serve()
        policy = self.policy("ab", 2)
        capsule = self.download("--trust", policy)
        self.assertIn("beside it", self.verify(capsule, policy, code=11).stderr)
        self.signers.sign(self.package, "b")
        self.serve()
        self.assertEqual(capsule, self.download("--trust", policy, "--digest", capsule))
        self.verify(capsule, policy)

    def test_one_signature_is_enough_and_it_is_not_the_first(self):
        """Whose key is trusted has signed what a stranger has signed before."""
        self.signers.sign(self.package, "stranger", "b")
        self.serve()
        policy = self.policy("ab", 1)
        done = self.verify(self.download("--trust", policy), policy)
        self.assertEqual([self.signers.id("b")], done.result["key_ids"])

    def test_a_policy_that_wants_one_signature_or_is_not_there_asks_for_nothing_more(self):
        self.signers.sign(self.package, "a", "b")
        self.serve()
        for arguments in (["--trust", self.policy("ab", 1)], ["--trust", self.folder / "none.yaml"], []):
            self.download(*arguments, "--state", self.folder / "state")
        beside = {path.name for path in (self.folder / "store").rglob("package.tar.gz*")}
        self.assertEqual({"package.tar.gz" + suffix for suffix in ("", ".sigstore.json", ".oci.sigstore.json", ".oci.json")},
                         beside)


if __name__ == "__main__":
    unittest.main()
