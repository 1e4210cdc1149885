"""capsule-publish twice, together, killed, and against what is there already."""
import concurrent.futures
import json
import os
import random
import shutil
import signal
import time
import unittest

from oci_layout import Layout, sha256
from steps import run, start
from test_layout import PublishTest


def everything(folder):
    """Every file with its content and times: what must not change."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns, sha256(path.read_bytes()))
            for path in sorted(folder.rglob("*")) if path.is_file()}


class Repeat(PublishTest):
    def test_the_second_run_writes_nothing(self):
        package = self.maker.make()
        first = self.published(package)
        self.assertFalse(first["already_published"])
        self.assertGreater(first["blobs_written"], 5)
        before = everything(self.registry)
        second = self.published(package)
        self.assertTrue(second["already_published"])
        self.assertEqual((second["blobs_written"], second["bytes_written"]), (0, 0))
        self.assertEqual(everything(self.registry), before)
        for key in ("reference", "index_digest", "package_manifest_digest", "image_digest"):
            self.assertEqual(first[key], second[key])

    def test_another_capsule_under_the_version_is_a_conflict(self):
        self.published(self.maker.make())
        before = everything(self.registry)
        other = self.maker.package(self.maker.capsule(files={"more.txt": b"more"}), "other.tar.gz")
        done = self.publish(other)
        self.assertEqual(done.code, 14, done)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)
        self.assertEqual(everything(self.registry), before)

    def test_the_same_capsule_otherwise_signed_or_packed_is_already_published(self):
        folder = self.maker.capsule()
        first = self.published(self.maker.package(folder, "a.tar.gz"))
        other_key, other_public = self.maker.make_key("other", "ed25519")
        trust = self.folder / "trust.yaml"
        trust.write_text("version: 1\ncapsule:\n  - keys:\n      - file: key.pub.pem\n      - file: other.pub.pem\n")
        for package in (self.maker.package(folder, "b.tar.gz", key=other_key),
                        self.maker.package(folder, "c.tar.gz", compress="auto")):
            before = everything(self.registry)
            done = run("publish", package, "--registry", f"oci-layout:{self.registry}", "--trust", trust)
            self.assertEqual(done.code, 0, done)
            self.assertTrue(done.result["already_published"])
            self.assertEqual(done.result["reference"], first["reference"])
            self.assertEqual(done.result["image_digest"], first["image_digest"])
            self.assertEqual(everything(self.registry), before)
        # What is there is signed by a key that this policy does not know.
        done = self.publish(self.folder / "b.tar.gz", key=other_public)
        self.assertEqual(done.code, 14, done)

    def test_what_stands_under_the_version_but_is_no_capsule_is_a_conflict(self):
        package = self.maker.make()
        self.published(package)
        layout = self.registry / "demo"
        index = (layout / "index.json").read_text()
        image = Layout(layout).document(Layout(layout).tagged("0.1.0"))["manifests"][1]
        old = Layout(layout).tagged("0.1.0")
        (layout / "index.json").write_text(
            index.replace(old["digest"], image["digest"]).replace(f'"size":{old["size"]}', f'"size":{image["size"]}'))
        self.assertEqual(self.publish(package).code, 14)

    def test_an_index_with_another_image_beside_the_good_package_is_a_conflict(self):
        package = self.maker.make()
        self.published(package)
        folder = self.registry / "demo"
        layout = Layout(folder)

        def put(document):
            data = json.dumps(document).encode()
            (folder / "blobs/sha256" / sha256(data)[7:]).write_bytes(data)
            return {"digest": sha256(data), "size": len(data)}

        old = layout.tagged("0.1.0")
        index = layout.document(old)
        image = layout.document(index["manifests"][1])
        config = layout.document(image["config"])
        config["config"]["Entrypoint"] = ["/bin/evil"]
        image["config"].update(put(config))
        index["manifests"][1].update(put(image))
        forged = put(index)
        text = (folder / "index.json").read_text()
        (folder / "index.json").write_text(
            text.replace(old["digest"], forged["digest"]).replace(f'"size":{old["size"]}', f'"size":{forged["size"]}'))
        done = self.publish(package)
        self.assertEqual(done.code, 14, done)
        self.assertIn("not the one that its package makes", done.stderr)

    def test_what_was_lost_from_the_layout_is_put_again(self):
        package = self.maker.make()
        self.published(package)
        blobs = sorted((self.registry / "demo/blobs/sha256").iterdir())
        for path in blobs[::2]:
            path.unlink()
        result = self.published(package)
        self.assertEqual(result["index_digest"], self.published(package)["index_digest"])
        self.assertEqual(Layout(self.registry / "demo").check_everything(), set())
        self.assertEqual(sorted((self.registry / "demo/blobs/sha256").iterdir()), blobs)

    def test_from_one_registry_to_another_and_from_the_store(self):
        package = self.maker.make()
        first = self.published(package)
        source = f"oci-layout:{self.registry}/demo:0.1.0"
        self.registry = self.folder / "second"
        copied = self.published(source)
        self.assertEqual(copied["index_digest"], first["index_digest"])
        self.assertEqual(copied["signature"], "attached")
        self.assertEqual(Layout(self.registry / "demo").check_everything(), set())
        digest = sha256(package.read_bytes())
        target = self.folder / "state/store/sha256" / digest[7:] / "package.tar.gz"
        target.parent.mkdir(parents=True)
        shutil.copy(package, target)
        self.registry = self.folder / "third"
        self.assertEqual(self.published(digest)["index_digest"], first["index_digest"])
        target.write_bytes(self.maker.make("other").read_bytes())
        self.assertEqual(self.publish(digest).code, 11)


class Together(PublishTest):
    def test_several_publishers_of_one_capsule_all_succeed(self):
        package = self.maker.make()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: self.published(package), range(4)))
        self.assertEqual(len({result["index_digest"] for result in results}), 1)
        layout = Layout(self.registry / "demo")
        self.assertEqual(layout.tags(), ["0.1.0"])
        self.assertEqual(len(layout.index["manifests"]), 2)
        self.assertEqual(layout.check_everything(), set())

    def test_of_two_capsules_under_one_version_one_wins(self):
        one = self.maker.package(self.maker.capsule(), "one.tar.gz")
        two = self.maker.package(self.maker.capsule(files={"x": b"x"}), "two.tar.gz")
        for _ in range(10):
            shutil.rmtree(self.registry, ignore_errors=True)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                outcomes = list(pool.map(self.publish, (one, two)))
            self.assertEqual(sorted(outcome.code for outcome in outcomes), [0, 14], outcomes)
            [winner] = [outcome.result for outcome in outcomes if outcome.code == 0]
            self.assertEqual(Layout(self.registry / "demo").tagged("0.1.0")["digest"], winner["index_digest"])


class ChangedMeanwhile(PublishTest):
    def test_22_a_package_that_changes_after_it_was_verified_is_not_published(self):
        package = self.maker.make(files={"expansion/m/big.bin": os.urandom(32 << 20)})
        good = package.read_bytes()
        caught = False
        for _ in range(10):
            shutil.rmtree(self.registry, ignore_errors=True)
            package.write_bytes(good)
            process = start("publish", package, "--registry", f"oci-layout:{self.registry}", "--key", self.maker.public_key)
            # The registry is made when the package is verified, and before it is read again.
            while not (self.registry / "demo/oci-layout").exists() and process.poll() is None:
                pass
            process.send_signal(signal.SIGSTOP)
            with package.open("r+b") as file:
                for offset in range(4096, len(good), 1 << 16):
                    file.seek(offset)
                    file.write(bytes([good[offset] ^ 1]))
            process.send_signal(signal.SIGCONT)
            stdout, stderr = process.communicate()
            Layout(self.registry / "demo").check_everything()
            self.assertIn(process.returncode, (0, 11), stderr)  # 0: all of it was read before
            if process.returncode == 11:
                self.assertEqual((stdout, Layout(self.registry / "demo").tags()), ("", []))
                self.assertEqual(len(stderr.strip().splitlines()), 1, stderr)
                caught = True
                break
        self.assertTrue(caught)


class Killed(PublishTest):
    def test_after_a_kill_at_any_moment_the_layout_is_whole_and_the_next_run_completes(self):
        package = self.maker.make(files={"expansion/m/big.bin": os.urandom(32 << 20)})
        begin = time.monotonic()
        wanted = self.published(package)
        duration = time.monotonic() - begin
        chance = random.Random(4)
        for _ in range(20):
            shutil.rmtree(self.registry)
            process = start("publish", package, "--registry", f"oci-layout:{self.registry}", "--key",
                            self.maker.public_key)
            time.sleep(chance.uniform(0, duration))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if (self.registry / "demo/oci-layout").exists():
                Layout(self.registry / "demo").check_everything()
            result = self.published(package)
            self.assertEqual(result["index_digest"], wanted["index_digest"])
            layout = Layout(self.registry / "demo")
            self.assertEqual(layout.check_everything(), set())
            self.assertEqual(len(layout.index["manifests"]), 2)
            self.assertEqual(sorted(path.name for path in layout.folder.iterdir()), ["blobs", "index.json", "oci-layout"])

    def test_sigterm_ends_it_within_a_second(self):
        package = self.maker.make(files={"expansion/m/big.bin": os.urandom(32 << 20)})
        process = start("publish", package, "--registry", f"oci-layout:{self.registry}", "--key", self.maker.public_key)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        process.communicate(timeout=10)
        self.assertLess(time.monotonic() - begin, 1)
        self.assertIn(process.returncode, (-signal.SIGTERM, 0))


if __name__ == "__main__":
    unittest.main()
