"""The fault matrix of the registry client: what goes wrong with a registry, the exit code, and what is left behind.

| what goes wrong | test |
|---|---|
| a short read; the connection cut at byte n, of a blob, a manifest, an answer's headers | Pull: test_a_short_read, test_cut_wherever, test_a_manifest_that_is_cut; Push: test_what_passes, test_a_part_is_cut |
| an upload's session lost, or kept, where a request was cut; a new process | Push: test_a_part_is_cut…, test_a_new_process_goes_on |
| the wrong digest, length or bytes, a registry that forgets | Pull: test_another_content, test_a_length_that_lies, test_a_digest_header_that_lies; Push: test_what_does_not, test_a_registry_that_forgets |
| without end: a blob, a manifest, referrers, redirects, an error's text | Pull: test_endless_…, test_redirects_without_end, test_a_long_error |
| a redirect or a Location to another host | Push: test_what_does_not; Pull: test_blobs_elsewhere; test_auth.py: Elsewhere |
| a relative Location, one of no use, none | Push: test_locations_of_all_kinds, test_what_does_not |
| 401 in mid-upload | Push: test_a_token_that_expires_in_mid_upload, …_that_cannot_be_renewed |
| 416 | Push: test_answers_in_the_middle_of_an_upload; Pull: test_ranges_that_are_of_something_else |
| 408, 429 with Retry-After, 500, 502, 503, 504, a reset; never 501, 505 | Push: test_what_passes, test_what_does_not; Pull: test_answers_that_pass |
| a time-out, a silent registry | Push: test_what_does_not_pass_in_time; Pull: test_a_registry_that_falls_silent |
| Range ignored, or another one answered | Pull: test_a_range_that_is_ignored, test_ranges_that_are_of_something_else |
| chunks refused, or wanted larger | Push: test_chunks_are_refused, test_the_smallest_part |
| a mount that is not done, or refused | test_mounts.py |
| two writers at once; readers meanwhile | test_races.py, test_readers.py |
"""
import json
import shutil
import unittest
from pathlib import Path

from fault_case import LARGE, MIB, FaultCase
from fault_registry import Fault, FaultRegistry
from steps import run

CHUNK = 32 * MIB


class Push(FaultCase):
    def test_what_passes(self):
        for what, fault in {
            "429": Fault("POST", status=429, headers={"Retry-After": "1"}),
            "500": Fault("PUT", "/blobs/", status=500), "502": Fault("POST", status=502),
            "503": Fault("HEAD", status=503), "504": Fault("PUT", "/manifests/", status=504),
            "408": Fault("PUT", "/blobs/", status=408),
            "reset": Fault("PUT", "/blobs/", reset=True), "cut at once": Fault("PUT", "/blobs/", cut_request=0),
            "cut": Fault("PUT", "/blobs/", cut_request=500), "cut manifest": Fault("PUT", "/manifests/", cut_request=100),
            "an answer that is cut": Fault("POST", raw=b"HTTP/1.1 202 Accepted\r\nLocation: /x"),
            "answer lost": Fault("PUT", "/blobs/", reset_after=True),
            "a manifest's digest doubted once": Fault("PUT", "/manifests/", status=400, body=b'{"errors":[{"code":"DIGEST_INVALID"}]}'),
            "manifest's answer lost": Fault("PUT", "/manifests/", reset_after=True),
            "session lost": Fault("PUT", "/blobs/", action=lambda registry, seen: registry.content.drop_upload(seen.path.split("/")[-1])),
        }.items():
            with self.subTest(what), FaultRegistry() as registry:
                registry.faults.append(fault)
                done = self.publish(registry=registry)
                self.assertEqual((done.code, fault.times), (0, 0), done)
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
            ("no HTTP", 10, Fault("PUT", "/blobs/", raw=b"SSH-2.0-x\r\n", times=-1)),
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

    def publish_with_tokens(self, *faults):
        """What the registry saw of a publish of the large capsule, for which it wants tokens."""
        with FaultRegistry(token=("user", "password")) as registry:
            (self.folder / ".docker").mkdir(exist_ok=True)
            (self.folder / ".docker/config.json").write_text(
                json.dumps({"auths": {registry.host: {"username": "user", "password": "password"}}}))
            registry.faults.extend(faults)
            done = self.publish(self.large, registry)
            self.assertEqual((done.code, [fault.times for fault in faults]), (0, [0] * len(faults)), done)
            self.assertEqual((registry.content.uploads, self.files()), ({}, []))
            return registry

    def test_a_token_that_expires_in_mid_upload(self):
        """A new one is fetched, and no part that was answered with 202 is sent again."""
        alone = self.publish_with_tokens().received()
        segments = json.loads(Path(f"{self.large}.oci.json").read_text())["segments"]
        large = max(segments, key=lambda segment: segment["size"])
        beside = alone - large["size"]  # goes at the same time, and may be refused too
        closes = "digest=" + large["digest"].replace(":", "%3A")
        for method, path, skip, again in (("PATCH", "", 0, CHUNK), ("PATCH", "", 1, CHUNK), ("PATCH", "", 2, large["size"] - 2 * CHUNK),
                                          ("PUT", closes, 0, 0)):
            with self.subTest(method=method, after=skip):
                registry = self.publish_with_tokens(Fault(method, path, skip=skip, action=lambda registry, _: registry.tokens.clear()))
                refused = [seen.method for seen in registry.requests if seen.status == 401 and "authorization" in seen.headers]
                self.assertIn(method, refused)
                taken = [seen.received for seen in registry.seen("PATCH") if seen.status == 202]
                self.assertEqual(taken, [CHUNK, CHUNK, large["size"] - 2 * CHUNK])
                self.assertLessEqual(registry.received(), alone + again + beside)

    def test_a_token_that_cannot_be_renewed(self):
        with FaultRegistry(token=("user", "password")) as registry:
            (self.folder / ".docker").mkdir()
            (self.folder / ".docker/config.json").write_text(
                json.dumps({"auths": {registry.host: {"username": "user", "password": "password"}}}))

            def revoke(registry, _):
                registry.tokens.clear()
                registry.token = ("user", "another")

            registry.faults.append(Fault("PATCH", skip=1, action=revoke))
            done = self.publish(self.large, registry)
            self.assertEqual((done.code, registry.content.repository("team/large").tags, self.files()), (13, {}, []), done)

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
        honest = json.loads(good)
        other = "sha256:" + "0" * 64
        lies = ["", "{}", "[", good.replace('"demo"', '"../x"'), good.replace(honest["index"]["digest"], other),
                good.replace(honest["segments"][-2]["digest"], other), good.replace(honest["diff_ids"][-2], other),
                json.dumps({**honest, "diff_ids": honest["diff_ids"][1:]}), json.dumps({**honest, "diff_ids": None}),
                json.dumps({**honest, "segments": honest["segments"][::-1], "diff_ids": honest["diff_ids"][::-1]})]
        self.assertNotIn(good, lies)
        for text in lies:
            with self.subTest(text[:20]), FaultRegistry() as registry:
                hints.write_text(text)
                done = self.publish(registry=registry)
                self.assertEqual((done.code, done.result["index_digest"]), (0, honest["index"]["digest"]), done)
                self.assertEqual((registry.content.uploads, self.files()), ({}, []))

    def test_hints_that_name_what_the_registry_has_in_place_of_a_segment(self):
        """As if somebody had put an evil layer there before: neither is it named, nor the right one left out."""
        hints = Path(f"{self.small}.oci.json")
        honest = json.loads(hints.read_text())
        self.addCleanup(hints.write_text, hints.read_text())
        other = self.maker.package(self.maker.capsule("demo", "0.0.1", files={"expansion/evil": b"evil"}))
        self.assertEqual(self.publish(other).code, 0)
        evil = json.loads(Path(f"{other}.oci.json").read_text())
        for name in ("segments", "diff_ids"):
            with self.subTest(name):
                hints.write_text(json.dumps({**honest, name: evil[name]}))
                done = self.publish()
                self.assertEqual((done.code, done.result["index_digest"]), (0, honest["index"]["digest"]), done)

class Pull(FaultCase):
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

    def test_cut_wherever(self):
        for end in (0, 1, MIB, 69 * MIB):
            with self.subTest(end):
                self.pull(0, cut_after=end)
                self.assertLess(self.sent(), 71 * MIB)
                self.registry.requests.clear()
                shutil.rmtree(self.state)

    def test_a_manifest_that_is_cut(self):
        self.fault("GET", "/manifests/", cut_after=100)
        self.assertEqual(self.download("large").code, 0)
        shutil.rmtree(self.state)
        self.fault("GET", "/manifests/", cut_after=100, times=-1)
        self.assertEqual((self.download("large").code, self.files()), (40, []))

    def test_a_registry_that_falls_silent(self):
        self.fault("GET", self.digest, pause=30, times=-1)
        done = run("download", self.registry.location("team") + "/large:0.1.0", "--state", self.state, "--registry-timeout", "1s")
        self.assertIn(done.code, (40, 41), done)
        # What came is kept, as after a kill, for the next try; when that has ended, it is gone.
        self.assertEqual({Path(name).suffix for name in self.files()}, {".json", ".part"})
        self.registry.faults.clear()
        self.assertEqual(self.download("large").code, 0)
        self.assertEqual([name for name in self.files() if "partial" in name], [])

    def test_redirects_without_end(self):
        self.fault("GET", self.digest, status=307, headers={"Location": f"/v2/team/large/blobs/{self.digest}"}, times=-1)
        done = self.download("large")
        self.assertEqual((done.code, self.files()), (10, []), done)
        self.assertLessEqual(len(self.registry.seen("GET", self.digest)), 6)

    def test_a_long_error(self):
        for body in (b'{"errors":[{"code":"DENIED","message":"' + b"x\\n" * 100_000 + b'"}]}', b"\x1b[2J" * 100_000):
            with self.subTest(body[:20]):
                self.fault("GET", "/manifests/", status=403, body=body)
                done = self.download("large")
                self.assertEqual((done.code, len(done.stderr.splitlines()), self.files()), (13, 2, []), done.stderr[:500])
                self.assertLess(len(done.stderr), 1500)
                self.assertNotIn("\x1b", done.stderr)
                self.registry.faults.clear()

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
