"""The whole loop with a registry over HTTP in the place of a folder: Debian's docker-registry, which has no referrers API."""
import json
import unittest

from loop import Loop, sample_capsule
from registry_case import RegistryCase

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"
RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class WholeLoop(RegistryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop = cls.make_loop("loop", "team/metals")
        cls.loop.publish_proved()
        cls.results = cls.loop.until("register")

    def referrers(self):
        tag = self.loop.reference.rsplit("@", 1)[1].replace(":", "-")
        status, _, body = self.registry.get(f"/v2/team/metals/probe/manifests/{tag}", Accept=INDEX)
        return [entry["artifactType"] for entry in json.loads(body)["manifests"]] if status == 200 else []

    def test_every_step_names_it_by_digest_below_its_base(self):
        self.assertTrue(self.loop.reference.startswith(f"oci://{self.registry.host}/team/metals/probe@sha256:"))
        self.assertEqual(self.loop.reference.rsplit("@", 1)[1], self.registry.tag_digest("team/metals/probe", "1.0.0"))

    def test_all_that_a_stranger_needs_is_a_referrer(self):
        self.assertEqual(sorted([BUNDLE, BUNDLE, RECEIPT, RUN_RECORD]), sorted(self.referrers()))

    def test_a_uri_resolves_with_the_registry_in_it_or_beside_it(self):
        beside = self.ok(self.loop.resolve("capsule://probe:1.0.0?proof=true"))
        self.assertEqual(self.loop.reference, beside["reference"])
        inside = self.loop.step("register", "resolve", f"capsule://{self.registry.host}/team/metals/probe:latest?proof=true")
        self.assertEqual(beside, self.ok(inside))
        plain = self.loop.step("register", "resolve", "capsule://probe:1.0.0", "--registry", f"{self.registry.host}/team/metals")
        self.assertEqual(beside["reference"], self.ok(plain)["reference"])

    def test_a_stranger_verifies_it_by_uri_tag_and_digest(self):
        place = f"{self.registry.host}/team/metals/probe"
        for name in (f"capsule://{place}:1.0.0?proof=true", f"oci://{place}:1.0.0", self.loop.reference):
            with self.subTest(name):
                done = self.loop.step("verify", name, "--trust", self.loop.trust)
                self.assertEqual(self.loop.package_digest, self.ok(done)["package_digest"])

    def test_it_is_downloaded_by_uri_tag_and_digest(self):
        place = f"{self.registry.host}/team/metals/probe"
        for number, name in enumerate((f"capsule://{place}:1.0.0?proof=true", f"oci://{place}:1.0.0", self.loop.reference)):
            with self.subTest(name):
                done = self.loop.step("download", name, "--store", self.loop.folder / f"store-{number}")
                self.assertEqual(self.loop.package_digest, self.ok(done)["capsule"])

    def test_list_finds_the_names_below_the_base_alone(self):
        listed = self.ok(self.loop.step("register", "list", "--registry", self.loop.place))["capsules"]
        self.assertEqual([("probe", "1.0.0", True)], [(one["name"], one["version"], one["proved"]) for one in listed])
        other = self.ok(self.loop.step("register", "list", "--registry", self.registry.location("team/other")))
        self.assertEqual([], other["capsules"])

    def test_again_every_step_finds_what_is_there_and_writes_nothing(self):
        blobs = self.registry.blobs()
        writes = len(self.registry.log_lines("PUT"))
        again = self.loop.until("register")
        for step, output in (("deploy", "run_record"), ("generate-proof", "proof_bundle"), ("anchor", "receipts"),
                             ("register", "record_digest"), ("register", "index_sequence")):
            self.assertEqual(self.results[step][output], again[step][output], step)
        package = self.loop.folder / "probe-1.0.0.tar.gz"
        published = self.ok(self.loop.step("publish", package, "--registry", self.loop.place))
        self.assertTrue(published["already_published"])
        self.assertEqual((0, "already there"), (published["blobs_written"], published["signature"]))
        self.assertEqual(blobs, self.registry.blobs())
        self.assertEqual(writes, len(self.registry.log_lines("PUT")))

    def test_register_attaches_again_what_its_record_names(self):
        """As if another who attached at the same moment had replaced the list."""
        tag = self.loop.reference.rsplit("@", 1)[1].replace(":", "-")
        empty = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
        status, _, _ = self.registry.request("PUT", f"/v2/team/metals/probe/manifests/{tag}", empty, {"Content-Type": INDEX})
        self.assertEqual(201, status)
        self.assertEqual([], self.referrers())
        self.ok(self.loop.register(self.results["generate-proof"]["proof_bundle"], self.results["anchor"]["receipts"]))
        self.assertEqual(sorted([BUNDLE, RECEIPT, RUN_RECORD]), sorted(self.referrers()))
        self.ok(self.loop.step("publish", self.loop.folder / "probe-1.0.0.tar.gz", "--registry", self.loop.place))
        self.assertEqual(sorted([BUNDLE, BUNDLE, RECEIPT, RUN_RECORD]), sorted(self.referrers()))

    def test_what_is_not_there_is_not_found(self):
        for name in ("oci://{}/team/metals/probe:9.9.9", "oci://{}/team/metals/nobody:1.0.0", "oci://{}/else/probe:1.0.0"):
            with self.subTest(name):
                done = self.loop.step("download", name.format(self.registry.host))
                self.assertEqual(12, done.code, done)
        done = self.loop.resolve("capsule://nobody:1.0.0")
        self.assertEqual(12, done.code, done)


class Workflow(RegistryCase):
    def test_the_shipped_loop_runs_against_it(self):
        loop = Loop(self.folder / "shipped")
        loop.folder.mkdir()
        loop.folder.chmod(0o755)
        loop.registry = self.registry.location("shipped")
        self.ok(loop.keygen())
        self.ok(loop.build(sample_capsule(self.folder)))
        done = self.ok(loop.deploy())
        self.assertTrue(done["reference"].startswith(f"{loop.registry}/m2n2-metal@sha256:"), done)
        self.assertEqual(done["reference"], self.ok(loop.resolve())["reference"])


if __name__ == "__main__":
    unittest.main()
