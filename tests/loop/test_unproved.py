"""A capsule that requires no proof, and makes no claims, through the shipped loop."""
import sys
import tempfile
import unittest
from pathlib import Path

from loop import LOOPS
from small_loop import SmallLoop


class Unproved(unittest.TestCase):
    def test_it_is_registered_without_a_proof(self):
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            loop = SmallLoop(name)
            loop.publish(claims=None, proof_policy={"required": False, "types": []})
            done = loop.step("run", LOOPS / "capsule-deploy-loop.yaml", "-p", f"source={loop.folder / 'probe-1.0.0.tar.gz'}",
                             "-p", f"registry=oci-layout:{loop.folder / 'elsewhere'}", "-p", f"log={loop.log}")
            self.assertEqual(0, done.code, done)
            self.assertEqual(("capsule://probe:1.0.0", "", "", ""),
                             tuple(done.result[key] for key in ("uri", "proof_id", "proof_bundle", "receipts")))
            self.assertFalse(loop.log.exists(), "there was nothing to log")
            listed = loop.step("register", "list", "--registry", f"oci-layout:{loop.folder / 'elsewhere'}")
            self.assertEqual([False], [entry["proved"] for entry in listed.result["capsules"]], listed)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
