"""Capsules that are deployed to the cluster and proved here."""
from deploy_case import REACHED, REGISTRY, DeployCase
from proof_maker import HOOK, ProofMaker, seeded


class ProvedCase(DeployCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.maker = ProofMaker(cls.folder)
        cls.index_key, index_public = cls.maker.make_key("index")
        cls.maker.trust.write_text(f"{cls.maker.trust.read_text()}index:\n  - keys: [{{file: {index_public}}}]\n")
        cls.trusted = ("--trust", cls.maker.trust, *REACHED, "--state", cls.maker.state)

    def did(self, step, *words):
        done = self.inside(step, *words)
        self.assertEqual(0, done.code, done)
        return done.result

    def publish_provable(self, name):
        self.maker.publish(HOOK, name=name, runner=seeded(), prewarm=True)
        package = self.maker.folder / f"{name}-1.0.0.tar.gz"
        return self.did("publish", package, "--registry", f"oci://{REGISTRY}/{self.namespace}", *self.trusted)["reference"]

    def prove(self, reference, record):
        return self.did("generate-proof", "--run-record", record, "--key", self.maker.proof_key, *self.trusted, "--", reference)

    def register(self, reference, bundle):
        return self.did("register", "--proof-bundle", bundle["proof_bundle"], "--key", self.index_key, *self.trusted, "--target", self.target, "--", reference)
