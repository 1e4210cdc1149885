"""capsule-publish into a layout that somebody damaged: what is wrong is written anew, what is right stays."""
import json
import shutil
import unittest

from oci_layout import Layout
from steps import run
from test_layout import PublishTest


class DamagedTest(PublishTest):
    def setUp(self):
        super().setUp()
        self.package = self.maker.make()
        self.first = self.published(self.package)
        self.layout = self.registry / "demo"
        self.blobs = sorted((self.layout / "blobs/sha256").iterdir())

    def download(self):
        return run("download", f"oci-layout:{self.registry}/demo:0.1.0", "--key", self.maker.public_key, "--store",
                   self.folder / "downloads")


class FlippedBytes(DamagedTest):
    def damage(self, path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def test_each_damaged_blob_is_written_anew_and_no_other(self):
        for damaged in self.blobs:
            with self.subTest(damaged.name):
                self.damage(damaged)
                before = {path: path.stat().st_ino for path in self.blobs if path != damaged}
                done = self.publish(self.package)
                self.assertEqual(done.code, 0, done)
                self.assertTrue(done.result["already_published"])
                [said] = [line for line in done.stderr.splitlines() if "damaged" in line]
                self.assertIn(damaged.name, said)
                self.assertEqual(Layout(self.layout).check_everything(), set())
                self.assertEqual({path: path.stat().st_ino for path in before}, before)
                self.assertEqual(sorted((self.layout / "blobs/sha256").iterdir()), self.blobs)
        self.assertEqual(self.download().code, 0)

    def test_all_of_them_at_once(self):
        for path in self.blobs:
            self.damage(path)
        self.assertEqual(self.download().code, 11)
        again = self.published(self.package)
        self.assertEqual(again["reference"], self.first["reference"])
        self.assertGreater(again["blobs_written"], 5)
        self.assertEqual(Layout(self.layout).check_everything(), set())
        self.assertEqual(self.download().code, 0)
        self.assertEqual(self.published(self.package)["blobs_written"], 0)

    def test_what_a_kill_left_of_a_repair_goes_with_the_next(self):
        damaged = self.blobs[0]
        left = damaged.with_name(f".{damaged.name}.0123456789abcdef.tmp")
        left.write_bytes(b"half")
        self.damage(damaged)
        self.published(self.package)
        self.assertFalse(left.exists())

    def test_the_same_capsule_in_another_package_does_not_hide_the_damage(self):
        other = self.maker.package(self.maker.capsule(), "other.tar.gz", compress="auto")
        manifest = Layout(self.layout).document(
            Layout(self.layout).document(Layout(self.layout).tagged("0.1.0"))["manifests"][0])
        self.damage(self.layout / "blobs/sha256" / manifest["layers"][0]["digest"][7:])
        done = self.publish(other)
        self.assertEqual(done.code, 14, done)
        self.assertIn("publish the very package again", done.stderr)
        self.published(self.package)
        self.assertTrue(self.published(other)["already_published"])


class TagTwice(DamagedTest):
    def test_a_tag_that_names_two_things_is_refused_by_readers_and_writers(self):
        self.published(self.maker.make(version="0.2.0"))
        layout = Layout(self.layout)
        other = layout.tagged("0.2.0")
        other["annotations"]["org.opencontainers.image.ref.name"] = "0.1.0"
        own = (self.layout / "index.json").read_text()
        line = json.dumps(other, separators=(",", ":"))
        for text in (json.dumps(layout.index), own.replace("\n]}", f",\n{line}\n]}}")):  # another tool's form, and ours
            (self.layout / "index.json").write_text(text)
            for done in (self.download(), self.publish(self.package)):
                self.assertEqual(done.code, 14, done)
                [line_of_error] = done.stderr.strip().splitlines()
                self.assertIn("the tag 0.1.0 stands there twice", line_of_error)
                self.assertIn(other["digest"], line_of_error)
            self.assertEqual((self.layout / "index.json").read_text(), text)

    def test_the_same_entry_twice_is_one(self):
        layout = Layout(self.layout)
        layout.index["manifests"].append(layout.tagged("0.1.0"))
        (self.layout / "index.json").write_text(json.dumps(layout.index))
        shutil.rmtree(self.folder / "downloads", ignore_errors=True)
        self.assertEqual(self.download().code, 0)
        self.assertTrue(self.published(self.package)["already_published"])


if __name__ == "__main__":
    unittest.main()
