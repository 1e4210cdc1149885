"""A name with many versions in a layout: register and resolve leave its large index.json alone, and nobody loses anything by it."""
import json
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from kills import KILLS, chance, kill_after
from oci_layout import MANIFEST, Layout, sha256
from small_loop import SmallLoop
from steps import run, start

TAG = "org.opencontainers.image.ref.name"
PLAIN = {"claims": None, "name": "plain", "proof_policy": {"required": False, "types": []}}


class LargeLayout(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        Path(temporary.name).chmod(0o755)
        self.loop = SmallLoop(temporary.name)
        self.layout = self.loop.registry / "plain"
        self.index = self.layout / "index.json"
        self.waiting = self.layout / ".capsule-loop/pending"

    def publish(self, version):
        return self.loop.publish(None, version=version, **PLAIN)

    def grow(self):
        """As if a hundred versions had been published."""
        layout = Layout(self.layout)
        layout.index["manifests"] += [{"mediaType": MANIFEST, "digest": sha256(f"{i}".encode()), "size": 700,
                                       "annotations": {TAG: f"0.0.{i}"}} for i in range(100)]
        self.index.write_text(json.dumps(layout.index))

    def register(self, reference):
        done = self.loop.step("register", "--", reference)
        self.assertEqual(0, done.code, done)
        return done.result

    def resolved(self, version):
        done = self.loop.resolve(f"capsule://plain:{version}")
        self.assertEqual(0, done.code, done)
        return done.result

    def versions(self):
        done = self.loop.step("register", "list", "plain", "--registry", f"oci-layout:{self.loop.registry}")
        self.assertEqual(0, done.code, done)
        return [capsule["version"] for capsule in done.result["capsules"]]

    def test_registered_beside_index_json_and_listed_by_the_next_publish(self):
        self.register(self.publish("0.1.0"))
        self.grow()
        second = self.publish("0.2.0")
        before = self.index.read_bytes()
        self.register(second)
        self.assertEqual(before, self.index.read_bytes())
        self.assertEqual({"index", "index-v-0.2.0"}, {path.name for path in self.waiting.iterdir()})
        self.assertEqual(("0.2.0", "2"), (self.resolved("latest")["version"], self.resolved("0.1.0")["index_sequence"]))
        self.assertEqual(["0.1.0", "0.2.0"], self.versions())
        shutil.copytree(self.layout, self.loop.folder / "copy/plain")
        done = self.loop.step("register", "resolve", "capsule://plain:0.2.0", "--registry", f"oci-layout:{self.loop.folder}/copy")
        self.assertEqual(0, done.code, done)
        self.publish("0.3.0")
        self.assertEqual([], list(self.waiting.iterdir()))
        self.assertLessEqual({"index", "index-v-0.2.0", "0.0.99", "0.3.0"}, set(Layout(self.layout).tags()))
        self.assertEqual(["0.1.0", "0.2.0"], self.versions())

    def test_a_tool_that_writes_index_json_meanwhile(self):
        """skopeo rewrites all of it and knows nothing of what waits."""
        self.register(self.publish("0.1.0"))
        self.grow()
        self.register(self.publish("0.2.0"))
        subprocess.run(["skopeo", "copy", "-q", "--all", f"oci:{self.layout}:0.2.0", f"oci:{self.layout}:theirs"], check=True,
                       capture_output=True)
        self.assertIn("theirs", Layout(self.layout).tags())
        self.assertEqual({"index", "index-v-0.2.0"}, {path.name for path in self.waiting.iterdir()})
        self.assertEqual(["0.1.0", "0.2.0"], self.versions())
        self.register(self.publish("0.3.0"))
        self.assertEqual(["0.1.0", "0.2.0", "0.3.0"], self.versions())
        self.assertLessEqual({"theirs", "0.0.99", "0.2.0", "index-v-0.2.0"}, set(Layout(self.layout).tags()))

    def test_a_copy_that_lacks_what_waits_is_an_old_index_and_is_refused(self):
        """What a tool that reads index.json alone makes of it."""
        self.register(self.publish("0.1.0"))
        self.grow()
        self.register(self.publish("0.2.0"))
        self.assertEqual("2", self.resolved("latest")["index_sequence"])
        shutil.rmtree(self.waiting)
        done = self.loop.resolve("capsule://plain:latest")
        self.assertEqual(11, done.code, done)
        self.assertIn("rollback", done.stderr)

    def test_killed_at_20_moments(self):
        self.register(self.publish("0.1.0"))
        self.grow()
        draw = chance("register in a large layout", 5)
        whole = 0.1
        for i in range(KILLS):
            version = f"0.2.{i}"
            reference = self.publish(version)
            words = ["register", "--state", self.loop.state, "--", reference]
            with self.subTest(version):
                self.assertEqual([], kill_after(start(*words), draw.uniform(0, 1.1 * whole), self.loop.folder))
                began = time.monotonic()
                done = run(*words)
                whole = time.monotonic() - began
                self.assertEqual(0, done.code, done)
                self.assertEqual(version, self.resolved("latest")["version"])
                self.assertEqual([], [path for path in self.layout.rglob("*") if path.name.endswith(".tmp")])
        self.assertEqual(["0.1.0", *(f"0.2.{i}" for i in range(KILLS))], self.versions())


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
