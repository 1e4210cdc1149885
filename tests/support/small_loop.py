"""A small capsule with claims and a proof hook, taken step by step from its package to the index, in seconds."""
import hashlib
import tempfile
import unittest
from pathlib import Path

from proof_maker import ProofMaker, hook
from steps import environment, run


class SmallLoop(ProofMaker):
    """Keys, trust policy, registry, log and state below `folder`; each step as a user calls it.

    Capsule code runs as another user where root starts it, so the folder has to be one that others can enter.
    """

    def __init__(self, folder):
        Path(folder).mkdir(exist_ok=True)
        super().__init__(folder)
        made = run("sign", "keygen", "--state", self.state)
        assert made.code == 0, made
        secrets = self.state / "secrets"
        self.key, self.proof_key = secrets / "capsule-key-capsule/key.pem", secrets / "capsule-key-proof/key.pem"
        self.trust = self.state / "configmaps/capsule-trust/trust.yaml"
        self.log = self.folder / "log"
        self.environment = environment(CAPSULE_STATE=str(self.state), HOME=str(self.folder))

    def publish_proved(self, **keywords):
        """A capsule whose policy requires a proof, and the hook that gives it."""
        self.reference = self.publish(hook(), **keywords)
        self.package_digest = "sha256:" + hashlib.sha256(
            (self.folder / f"{self.name}-{self.version}.tar.gz").read_bytes()).hexdigest()
        return self.reference

    def step(self, name, *arguments):
        return run(name, *arguments, env=self.environment)

    def deploy(self, *more, reference=None):
        return self.step("deploy", *more, "--", reference or self.reference)

    def generate_proof(self, run_record, *more):
        return self.step("generate-proof", "--run-record", run_record, "--key", self.proof_key, *more, "--", self.reference)

    def anchor(self, proof_bundle, *more):
        return self.step("anchor", "--proof-bundle", proof_bundle, "--log", self.log, *more, "--", self.reference)

    def register(self, proof_bundle, receipts, *more):
        return self.step("register", "--proof-bundle", proof_bundle, "--receipts", receipts, *more, "--", self.reference)

    def until(self, last):
        """Takes the capsule through all steps up to `last`; gives the results by step."""
        results = {}
        for name, call in (("deploy", self.deploy),
                           ("generate-proof", lambda: self.generate_proof(results["deploy"]["run_record"])),
                           ("anchor", lambda: self.anchor(results["generate-proof"]["proof_bundle"])),
                           ("register", lambda: self.register(results["generate-proof"]["proof_bundle"],
                                                              results["anchor"]["receipts"]))):
            done = call()
            assert done.code == 0, done
            results[name] = done.result
            if name == last:
                break
        return results

    def resolve(self, uri, *more):
        return self.step("register", "resolve", uri, "--registry", self.location, *more)


class LoopCase(unittest.TestCase):
    """One SmallLoop, `loop`, for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        Path(temporary.name).chmod(0o755)
        cls.loop = SmallLoop(temporary.name)

    def refused(self, code, done, word=""):
        """Ended by `code` with one line, which has `word` in it."""
        self.assertEqual(code, done.code, done)
        self.assertEqual(1, len(done.stderr.splitlines()), done)
        self.assertIn(word, done.stderr)
