"""What a proof must not forget stands in the ProofedDeployment object: a try in another pod, with an empty state folder, goes on with it."""
import json
import unittest

from deploy_case import HOST
from oci_layout import INDEX
from proof_maker import hook
from proof_pods_case import ProofPodsCase
from steps import BIN


class ProofInFlight(ProofPodsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = cls.started((BIN / "capsule-proof-service", "--listen", "10.99.0.1:0", "--database", cls.folder / "proofs.db"))
        cls.addClassCleanup(cls.end, cls.service)
        cls.url = json.loads(cls.service.stdout.readline())["url"].rstrip("/") + "/"
        cls.at_service = ("--proof-service", cls.url, "--insecure-proof-service", "10.99.0.1")

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def to_prove(self, reference, record, *more):
        """With a state folder that nobody has used."""
        words = list(super().to_prove(reference, record, *self.at_service, *more))
        type(self).tries = getattr(self, "tries", 0) + 1
        words[words.index("--state") + 1] = self.folder / f"state-{self.tries}"
        return words

    def ask(self, url, *words):
        done = self._run(("curl", "-sS", "--fail-with-body", "-m", "20", *words, url), None, None, 60)
        self.assertEqual(0, done.code, done)
        return done.stdout

    def made(self):
        """How many proofs the service has made."""
        return sum(int(line.split()[1]) for line in self.ask(f"{self.url}metrics").splitlines() if line.startswith("capsule_proof_service_proofs{"))

    def in_flight(self, name):
        return self.object(name).get("status", {}).get("proofsInFlight", [])

    def test_one_that_is_killed_once_the_service_was_asked(self):
        reference, record = self.proven_run("asked", hook(answer="import time; time.sleep(15)"))
        before = self.made()
        process = self.start_proving(reference, record)
        self.wait_for("the service to be asked", lambda: process.poll() is not None or self.made() > before)
        process.kill()
        process.wait(60)
        [begun] = self.in_flight("asked")
        self.assertEqual((record, self.url), (begun["runRecord"], begun["service"]))
        done = self.prove(reference, record)
        self.assertEqual(0, done.code, done)
        self.assertEqual((begun["utid"], False), (done.result["utid"], done.result["already_proven"]))
        self.assertEqual(before + 1, self.made())
        self.assertEqual([], self.in_flight("asked"))
        self.assert_no_pod_is_left()

    def test_one_that_is_killed_once_the_service_has_verified(self):
        reference, record = self.proven_run("verified", hook())
        before = self.made()
        first = self.prove(reference, record).result
        # As if it had been killed before it published: what it attached is gone, and its proof stands in the object.
        self.detach(reference, record)
        begun = {"runRecord": record, "service": self.url, "utid": first["utid"], "proofId": first["proof_id"]}
        self.must("patch", "pd", "verified", "--subresource=status", "--type=merge", "-p", json.dumps({"status": {"proofsInFlight": [begun]}}))
        done = self.prove(reference, record)
        self.assertEqual(0, done.code, done)
        self.assertEqual((first["proof_id"], False), (done.result["proof_id"], done.result["already_proven"]))
        self.assertEqual(before + 1, self.made())
        self.assertEqual([], self.in_flight("verified"))
        # Published, and killed before it was noted: nothing is proved again.
        self.must("patch", "pd", "verified", "--subresource=status", "--type=merge", "-p", json.dumps({"status": {"proofsInFlight": [begun]}}))
        self.assertIs(True, self.prove(reference, record).result["already_proven"])
        self.assertEqual(([], before + 1), (self.in_flight("verified"), self.made()))

    def detach(self, reference, record):
        """The proof bundles of the version index and of the run record are gone."""
        repository, _, index = reference.removeprefix(f"oci://{HOST}/").partition("@")
        manifests = f"http://{HOST}/v2/{repository}/manifests"
        for subject in (index, record):
            tag = f"{manifests}/{subject.replace(':', '-')}"
            attached = json.loads(self.ask(tag, "-H", f"Accept: {INDEX}"))
            [bundle] = [entry for entry in attached["manifests"] if any("capsule-proof/" in text for text in entry.get("annotations", {}).values())]
            attached["manifests"].remove(bundle)
            self.ask(tag, "-X", "PUT", "-H", f"Content-Type: {INDEX}", "-d", json.dumps(attached))


if __name__ == "__main__":
    unittest.main()
