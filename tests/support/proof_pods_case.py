"""Capsules that are deployed to the cluster and proved there, in pods."""
from deploy_case import REACHED, REGISTRY, DeployCase
from proof_maker import ProofMaker, seeded
from steps import BIN


class ProofPodsCase(DeployCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.maker = cls.proofs = ProofMaker(cls.folder)
        cls.trusted = ("--trust", cls.proofs.trust, *REACHED)

    def proven_run(self, name, text, **manifest):
        """The reference of a capsule that is deployed here, and the digest of its one run."""
        self.proofs.publish(text, name=name, runner=seeded(), **manifest)
        package = self.proofs.folder / f"{name}-{manifest.get('version', '1.0.0')}.tar.gz"
        done = self.inside("publish", package, "--registry", f"oci://{REGISTRY}/{self.namespace}", *self.trusted, "--state", self.proofs.state)
        self.assertEqual(0, done.code, done)
        reference = done.result["reference"]
        return reference, self.deployed(reference, "--seed", "7")["run_record"]

    def to_prove(self, reference, record, *more, state=""):
        """`state`: a state folder other than that of the first run."""
        return ("--run-record", record, "--key", self.proofs.proof_key, *self.trusted, "--state", self.folder / state if state else self.proofs.state,
                "--target", self.target, *more, "--", reference)

    def prove(self, *words, **how):
        return self.inside("generate-proof", *self.to_prove(*words), **how)

    def start_proving(self, *words, **how):
        process = self.started((BIN / "capsule-generate-proof", *self.to_prove(*words, **how)), env=self.named)
        for action in (process.stdout.close, process.stderr.close, process.kill):
            self.addCleanup(action)
        return process

    def proof_pods(self):
        return self.get("pods", "-l", "app.kubernetes.io/component=proof")["items"]

    def assert_no_pod_is_left(self):
        self.wait_for("the end of the proof's pods", lambda: not self.proof_pods(), 60)

    def run_out_of_proof(self):
        """The one lease of a proof, where it has not been given back."""
        for lease in self.get("leases")["items"]:
            if lease["metadata"]["name"].startswith("capsule-proof-"):
                self.run_out(lease["metadata"]["name"])
