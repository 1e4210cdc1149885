"""The fault matrix of the registry client: what goes wrong with a registry, the exit code, and what is left behind."""
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from fault_registry import Fault, FaultRegistry
from steps import environment, run

MIB = 1 << 20
CHUNK = 32 * MIB
LARGE = "expansion/m/large.bin"


class FaultTest(unittest.TestCase):
    """A small capsule, and one with a blob that goes in three parts."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.maker = Maker(Path(cls.temporary.name))
        cls.small = cls.maker.package(cls.maker.capsule())
        cls.large = cls.maker.package(cls.maker.capsule("large", files={LARGE: os.urandom(70 * MIB)}))

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.state, self.scratch = self.folder / "state", self.folder / "tmp"
        self.scratch.mkdir()
        self.registry = FaultRegistry()
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)

    def step(self, name, *arguments, **keywords):
        return run(name, *arguments, "--state", self.state, "--registry-timeout", "5s",
                   env=environment(TMPDIR=str(self.scratch), HOME=str(self.folder)), **keywords)

    def publish(self, package=None, registry=None):
        return self.step("publish", package or self.small, "--registry", (registry or self.registry).location("team"),
                         "--key", self.maker.public_key)

    def download(self, name="demo", registry=None):
        return self.step("download", (registry or self.registry).location("team") + f"/{name}:0.1.0")

    def fault(self, *arguments, **keywords):
        self.registry.faults.append(Fault(*arguments, **keywords))

    def repository(self, name="demo"):
        return self.registry.content.repository(f"team/{name}")

    def files(self):
        """What the steps left in the state folder and in the folder for temporary files."""
        return sorted(str(path.relative_to(self.folder)) for folder in (self.state, self.scratch)
                      for path in folder.rglob("*") if path.is_file())

    def assert_published(self, done, name="demo", package=None):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.repository(name).tags, {"0.1.0": done.result["index_digest"]})
        self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))
        layers = self.registry.content.repositories[f"team/{name}"].blobs
        self.registry.faults.clear()
        self.assertEqual(self.download(name).result["capsule"], done.result["package_digest"])
        self.assertTrue(layers)

    def assert_refused(self, done, code, word=""):
        """That exit code, no tag, no upload session, no file."""
        self.assertEqual(done.code, code, done)
        self.assertIn(word, done.stderr)
        self.assertEqual(len([line for line in done.stderr.splitlines() if "error:" in line]), 1, done)
        self.assertEqual(self.repository().tags, {})
        self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))


class Push(FaultTest):
    def test_what_passes(self):
        for what, fault in {
            "429": Fault("POST", status=429, headers={"Retry-After": "1"}),
            "500": Fault("PUT", "/blobs/", status=500), "502": Fault("POST", status=502, times=0),
            "503": Fault("HEAD", status=503), "504": Fault("PUT", "/manifests/", status=504),
            "408": Fault("PUT", "/blobs/", status=408),
            "reset": Fault("PUT", "/blobs/", reset=True), "cut": Fault("PUT", "/blobs/", cut_request=500),
            "answer lost": Fault("PUT", "/blobs/", reset_after=True),
            "manifest's answer lost": Fault("PUT", "/manifests/", reset_after=True),
            "session lost": Fault("PUT", "/blobs/", action=lambda registry, seen: registry.content.drop_upload(seen.path.split("/")[-1])),
        }.items():
            with self.subTest(what), FaultRegistry() as registry:
                registry.faults.append(fault)
                done = self.publish(registry=registry)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(list(registry.content.repository("team/demo").tags), ["0.1.0"])
                self.assertEqual((registry.content.uploads, self.files()), ({}, []))

    def test_what_does_not(self):
        for what, code, fault in (
            ("501", 10, Fault("PUT", "/blobs/", status=501, times=-1)),
            ("505", 10, Fault("POST", status=505, times=-1)),
            ("403", 13, Fault("POST", status=403, times=-1)),
            ("wrong digest", 11, Fault("PUT", "/blobs/", status=400, times=-1, headers={"Content-Type": "application/json"},
                                       body=b'{"errors":[{"code":"DIGEST_INVALID"}]}')),
            ("manifest refused", 10, Fault("PUT", "/manifests/", status=400, times=-1)),
            ("no Location", 10, Fault("POST", headers={"Location": None}, times=-1)),
            ("Location of no use", 10, Fault("POST", headers={"Location": "ftp://x/"}, times=-1)),
            ("Location elsewhere", 13, Fault("POST", headers={"Location": "https://elsewhere.example/?secret=1"}, times=-1)),
            ("redirect of an upload", 10, Fault("PUT", "/blobs/", status=307, headers={"Location": "/x"}, times=-1)),
        ):
            with self.subTest(what), FaultRegistry() as registry:
                registry.faults.append(fault)
                done = self.publish(registry=registry)
                self.assertEqual(done.code, code, done)
                self.assertNotIn("secret", done.stderr)
                self.assertEqual(registry.content.repository("team/demo").tags, {})
                self.assertEqual(self.files(), [])

    def test_what_does_not_pass_in_time(self):
        self.fault("PUT", "/blobs/", status=503, headers={"Retry-After": "60"}, times=-1)
        self.assert_refused(self.publish(), 40, "503")

    def test_locations_of_all_kinds(self):
        self.registry.relative_locations = True
        self.assert_published(self.publish())

    def test_a_registry_that_forgets_what_it_took(self):
        self.fault("PUT", "/blobs/", forget=True, times=-1)
        self.assert_refused(self.publish(), 10, "MANIFEST_BLOB_UNKNOWN")

    def test_a_large_blob_goes_in_parts(self):
        self.assert_published(self.publish(self.large), "large")
        self.assertEqual([seen.received for seen in self.registry.seen("PATCH")][:2], [CHUNK, CHUNK])

    def test_the_smallest_part_that_a_registry_takes(self):
        self.registry.min_chunk = 40 * MIB
        self.assert_published(self.publish(self.large), "large")
        self.assertEqual(self.registry.seen("PATCH")[0].received, 40 * MIB)

    def test_chunks_are_refused(self):
        self.registry.chunks = False
        self.assert_published(self.publish(self.large), "large")
        self.assertGreater(max(seen.received for seen in self.registry.seen("PUT")), 70 * MIB)

    def test_a_part_is_cut(self):
        self.fault("PATCH", skip=1, cut_request=20 * MIB)
        self.assert_published(self.publish(self.large), "large")
        self.assertLess(self.registry.received(), 76 * MIB)  # the session was kept: no byte twice

    def test_a_part_is_cut_and_the_session_is_lost(self):
        self.registry.keeps_session = False
        self.fault("PATCH", skip=1, cut_request=20 * MIB)
        self.assert_published(self.publish(self.large), "large")
        self.assertGreater(self.registry.received(), 120 * MIB)

    def test_answers_in_the_middle_of_an_upload(self):
        for status, headers in ((416, {}), (429, {"Retry-After": "1"}), (500, {})):
            with self.subTest(status), FaultRegistry() as registry:
                registry.faults.append(Fault("PATCH", skip=1, status=status, headers=headers))
                done = self.publish(self.large, registry)
                self.assertEqual(done.code, 0, done)
                self.assertEqual((registry.content.uploads, self.files()), ({}, []))

    def test_a_new_process_goes_on(self):
        self.fault("PATCH", skip=1, status=503, times=-1)
        done = self.publish(self.large)
        self.assertEqual(done.code, 40, done)
        records = self.files()
        self.assertEqual(len(records), 1, records)
        self.assertEqual((self.folder / records[0]).stat().st_mode & 0o777, 0o600)
        self.registry.faults.clear()
        before = self.registry.received()
        self.assert_published(self.publish(self.large), "large")
        sent = sum(seen.received for seen in self.registry.requests if "/blobs/" in seen.path and seen.status in (201, 202)) - before
        self.assertLess(sent, 45 * MIB)

    def test_nothing_is_sent_twice(self):
        self.assertEqual(self.publish(self.large).code, 0)
        before = self.registry.received()
        self.assertTrue(self.publish(self.large).result["already_published"])
        self.assertEqual(self.registry.received(), before)
        again = self.maker.package(self.maker.capsule("large", "0.2.0", files={
            LARGE: (self.maker.folder / "large-0.1.0" / LARGE).read_bytes()}))
        self.assertEqual(self.publish(again).code, 0)
        self.assertLess(self.registry.received() - before, 64 << 10)

    def test_a_package_that_does_not_verify_leaves_no_manifest(self):
        other, _ = self.maker.make_key("stranger")
        package = self.maker.package(self.maker.folder / "large-0.1.0", "strange.tar.gz", key=other)
        done = self.publish(package)
        self.assertEqual(done.code, 11, done)
        self.assertEqual(self.repository("large").manifests, {})
        self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))

    def test_hints_that_lie(self):
        hints = Path(f"{self.small}.oci.json")
        good = hints.read_text()
        self.addCleanup(hints.write_text, good)
        digest = good[good.rindex("sha256:"):][:71]
        for text in ("", "{}", "[", good.replace(digest, "sha256:" + "0" * 64), good.replace('"demo"', '"../x"')):
            with self.subTest(text[:20]), FaultRegistry() as registry:
                hints.write_text(text)
                done = self.publish(registry=registry)
                self.assertEqual(done.code, 0, done)
                self.assertEqual((registry.content.uploads, self.files()), ({}, []))


class Pull(FaultTest):
    def setUp(self):
        super().setUp()
        self.package = self.publish(self.large).result["package_digest"]
        layers = self.registry.content.repository("team/large").blobs
        self.digest = max(layers, key=lambda digest: self.registry.content.blob_path(digest).stat().st_size)

    def sent(self):
        return sum(seen.sent for seen in self.registry.seen("GET", self.digest))

    def pull(self, code, word="", **fault):
        self.fault("GET", self.digest, **fault)
        done = self.download("large")
        self.assertEqual(done.code, code, done)
        if code == 0:
            self.assertEqual(done.result["capsule"], self.package)
        else:
            self.assertIn(word, done.stderr)
            self.assertEqual(self.files(), [])

    def test_a_short_read_is_gone_on_with(self):
        self.pull(0, cut_after=50 * MIB)
        self.assertLess(self.sent(), 71 * MIB)

    def test_a_range_that_is_ignored(self):
        self.fault("GET", self.digest, cut_after=50 * MIB)
        self.pull(0, ignore_range=True)

    def test_ranges_that_are_of_something_else(self):
        for fault in ({"status": 416}, {"shift_range": 1}, {"shift_label": 1}):
            with self.subTest(fault):
                self.fault("GET", self.digest, cut_after=50 * MIB)
                self.pull(0, **fault)
                shutil.rmtree(self.state)

    def test_answers_that_pass(self):
        for fault in ({"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}, {"reset": True}):
            with self.subTest(fault):
                self.pull(0, **fault)
                shutil.rmtree(self.state)

    def test_another_content_is_refused(self):
        self.pull(11, wrong_bytes=True)

    def test_a_length_that_lies(self):
        self.pull(11, length=200 * MIB)

    def test_an_endless_blob(self):
        self.pull(11, endless=True, headers={"Content-Length": None})
        self.assertLess(self.sent(), 80 * MIB)

    def test_a_media_type_that_lies(self):
        self.fault("GET", "/manifests/", headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
        done = self.download("large")
        self.assertEqual((done.code, self.files()), (10, []), done)

    def test_an_endless_manifest(self):
        self.fault("GET", "/manifests/", endless=True, headers={"Content-Length": None}, times=-1)
        done = self.download("large")
        self.assertEqual((done.code, self.files()), (10, []), done)

    def test_a_digest_header_that_lies(self):
        self.fault("GET", "/manifests/", headers={"Docker-Content-Digest": "sha256:" + "0" * 64})
        done = self.download("large")
        self.assertEqual((done.code, self.files()), (11, []), done)

    def test_a_blob_that_is_gone(self):
        self.pull(12, status=404)

    def test_blobs_elsewhere_come_without_credentials(self):
        with FaultRegistry() as elsewhere:
            elsewhere.content = self.registry.content
            self.registry.redirect_blobs = elsewhere.url()
            self.assertEqual(self.download("large").code, 0)
            self.assertTrue(elsewhere.requests)
            self.assertFalse([seen for seen in elsewhere.requests if "authorization" in seen.headers])

    def test_endless_referrers(self):
        self.registry.endless_referrers = True
        done = run("verify", self.registry.location("team") + "/large:0.1.0", "--key", self.maker.public_key, "--state", self.state)
        self.assertIn(done.code, (0, 10), done)


if __name__ == "__main__":
    unittest.main()
