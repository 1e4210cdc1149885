"""capsule-download of a capsule that must be proved: capsule://NAME:VERSION?proof=true."""
import sys
import unittest
from pathlib import Path

from small_loop import LoopCase


class Proved(LoopCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop.publish_proved()
        cls.results = cls.loop.until("register")

    def download(self, uri, store):
        return self.loop.step("download", uri, "--registry", f"oci-layout:{self.loop.registry}", "--store", self.loop.folder / store)

    def test_a_proved_capsule_is_fetched_with_its_signature(self):
        for uri in ("capsule://probe:1.0.0?proof=true", "capsule://probe:latest?proof=true"):
            with self.subTest(uri):
                done = self.download(uri, f"store-{len(uri)}")
                self.assertEqual(0, done.code, done)
                self.assertEqual(self.loop.package_digest, done.result["capsule"])
                self.assertEqual((self.loop.folder / "probe-1.0.0.tar.gz").read_bytes(), Path(done.result["path"]).read_bytes())
                self.assertTrue(Path(done.result["path"] + ".oci.sigstore.json").is_file())
                self.assertFalse(done.result["already_there"])
                self.assertTrue(self.download(uri, f"store-{len(uri)}").result["already_there"])

    def test_without_its_proof_it_is_not_fetched(self):
        """The proof bundle is read and checked, not its entry in the index believed."""
        blob = self.loop.registry / "probe/blobs/sha256" / self.results["generate-proof"]["proof_bundle"].split(":")[1]
        good = blob.read_bytes()
        try:
            for bad in (good.replace(b'"payload":"', b'"payload":"A', 1), b"{}"):
                blob.write_bytes(bad)
                done = self.download("capsule://probe:1.0.0?proof=true", "none")
                self.assertEqual(11, done.code, done)
                self.assertEqual([], [path for path in (self.loop.folder / "none").rglob("*") if path.is_file()])
        finally:
            blob.write_bytes(good)
        self.assertEqual(0, self.download("capsule://probe:1.0.0?proof=true", "none").code)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
