"""Every step of the loop on a cluster, each ended by kill -9 at a random moment, then called again: the end is the same, and one run is billed."""
import json
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from deploy_case import HOST, REACHED, REGISTRY, DeployCase
from kills import chance
from oci_layout import INDEX
from proof_maker import hook, seeded
from registered import Registered
from steps import BIN

UNAVAILABLE, NO_ROOM = 40, "no node takes it now"
CAPSULES = 4
WARM = """import os
if os.environ.get("CAPSULE_WARM") == "1":
    print('{"ready":true}', flush=True)
asked ="""
RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"
# What a step has led to; the rest is about the call.
KEPT = ("reference", "index_digest", "package_manifest_digest", "image_digest", "run_id", "run_record", "proof_id", "proof_bundle", "receipts", "uri",
        "index_sequence")


class Journey:
    """One capsule from its package to the index; `moments`: seconds after which each step is killed, by its name; without any none is."""

    def __init__(self, case, number, moments=None):
        self.case, self.name, self.moments = case, f"killed-{number}", moments
        self.state, self.log = case.folder / f"state-{number}", case.folder / f"log-{number}"
        self.took = {}
        maker = case.maker
        self.trusted = ("--trust", maker.trust, *REACHED, "--state", self.state)
        maker.publish(hook(), name=self.name, runner=seeded().replace("asked =", WARM), prewarm=True)
        self.package = maker.folder / f"{self.name}-1.0.0.tar.gz"

    def step(self, step, *words):
        if self.moments:
            process = self.case.started((BIN / f"capsule-{step}", *words), env=self.case.named)
            time.sleep(self.moments[step])
            process.kill()
            process.communicate()
        first, again = self.call(step, *words), self.call(step, *words)
        assert first == again, (step, first, again)
        return first

    def call(self, step, *words):
        began = time.monotonic()
        # As Argo does: other tests have filled the node, and leave it.
        until = began + 240
        while (done := self.case.inside(step, *words)).code == UNAVAILABLE and NO_ROOM in done.stderr.rpartition("error:")[2] and time.monotonic() < until:
            time.sleep(5)
        self.took.setdefault(step, time.monotonic() - began)
        assert done.code == 0, (self.name, step, done)
        return {name: value for name, value in done.result.items() if name in KEPT}

    def go(self):
        maker, target = self.case.maker, ("--target", self.case.target)
        reference = self.step("publish", self.package, "--registry", f"oci://{REGISTRY}/{self.case.namespace}", *self.trusted)["reference"]
        of_it = (*self.trusted, "--", reference)
        self.run = self.step("deploy", "--timeout", "90s", *target, *of_it)
        self.proof = self.step("generate-proof", "--run-record", self.run["run_record"], "--key", maker.proof_key, *target, *of_it)
        bundle = ("--proof-bundle", self.proof["proof_bundle"])
        receipts = self.step("anchor", *bundle, "--log", self.log, "--log-key", maker.log_key, *of_it)["receipts"]
        self.step("register", *bundle, "--receipts", receipts, "--key", maker.index_key, *target, *of_it)
        self.reference = reference
        return self


class KilledSteps(DeployCase):
    def check(self, journey):
        reference, name = journey.reference, journey.name
        for kind in (RUN_RECORD, RECEIPT):
            self.assertEqual(1, len(self.attached(reference, kind)), f"{name}: {kind}")
        record = self.record(reference, journey.run["run_record"])
        self.assertEqual((1, journey.run["run_id"]), (record["ordinal"], record["run_id"]), name)
        [run] = json.loads(self.object(name)["metadata"]["annotations"]["capsule.industriverse.ai/runs"]).values()
        self.assertEqual(journey.run["run_record"], run["record"], name)
        status = self.object(name)["status"]
        self.assertEqual([], status.get("proofsInFlight", []), name)
        self.assertEqual(("Proved", journey.proof["proof_id"], journey.proof["proof_bundle"]), (status["phase"], status["proofId"], status["proofDigest"]), name)
        self.assertEqual("1", (journey.log / "checkpoint").read_text().splitlines()[1], name)
        [pod] = self.wait_for("the one pod that waits", lambda: len(found := self.pods(name)) == 1 and found, 60)
        self.assertNotIn("capsule.industriverse.ai/run", pod["metadata"].get("annotations", {}), name)
        done = self.inside("verify", f"capsule://{name}:1.0.0?proof=true", "--registry", f"oci://{REGISTRY}/{self.namespace}", *journey.trusted)
        self.assertEqual(0, done.code, done)

    def attached(self, reference, kind):
        """What the version index is referred to by, of an artifact type."""
        repository, _, digest = reference.removeprefix(f"oci://{HOST}/").partition("@")
        done = self._run(("curl", "-sSf", "-H", f"Accept: {INDEX}", f"http://{HOST}/v2/{repository}/manifests/{digest.replace(':', '-')}"), None, None, 60)
        self.assertEqual(0, done.code, done)
        return [entry for entry in json.loads(done.stdout)["manifests"] if entry["artifactType"] == kind]

    def test_one_run_and_one_proof_whenever_each_step_is_killed(self):
        type(self).maker = Registered(self.folder)
        whole = Journey(self, 0).go()
        self.check(whole)
        draw = chance("steps on a cluster", 7001)
        moments = lambda: {step: draw.uniform(0, 1.1 * seconds) for step, seconds in whole.took.items()}
        journeys = [Journey(self, number, moments()) for number in range(1, CAPSULES + 1)]
        # At once: a killed deploy's lease runs out after half a minute.
        with ThreadPoolExecutor(CAPSULES) as pool:
            for journey in pool.map(Journey.go, journeys):
                self.check(journey)
        pods = [pod["metadata"]["labels"].get("app") for pod in self.get("pods")["items"] if "deletionTimestamp" not in pod["metadata"]]
        self.assertEqual(sorted(journey.name for journey in (whole, *journeys)), sorted(pods), "no pod of a proof is left")
        leases = [lease["metadata"]["name"] for lease in self.get("leases")["items"]]
        self.assertEqual([], [name for name in leases if name.startswith("capsule-proof-")])


if __name__ == "__main__":
    unittest.main()
