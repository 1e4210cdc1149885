"""The loop with every private key on a token: pack, sign, publish, deploy, prove, anchor, register, resolve."""
import tempfile
import unittest
from pathlib import Path

from small_loop import SmallLoop
from steps import environment, run
from tokens import MODULE, SoftHsm
from workflow_bench import WorkflowBench, call, inputs, leaf, steps

ROLES = {"capsule": "ecdsa-p256", "proof": "rsa", "index": "ecdsa-p384", "log": "ed25519"}


class TokenLoop(SmallLoop):
    """A SmallLoop whose keys are all on one token; its trust policy has their public halves."""

    def __init__(self, folder, token):
        super().__init__(folder)
        self.token = token
        trust = "version: 1\n"
        for number, (role, kind) in enumerate(ROLES.items(), 1):
            token.generate(role, kind, f"0{number}")
            trust += f"{role}:\n  - keys: [{{file: {token.public_key(f'0{number}')}}}]\n"
        for path in self.state.glob("secrets/*/*"):
            path.unlink()  # nothing but the token can sign
        self.trust.write_text(trust)
        self.key = self.uri("capsule")
        self.proof_key = self.uri("proof")
        self.public_key = token.uri("capsule", pin_source=False)
        self.environment.update(token.hsm.variables)

    def uri(self, role):
        return self.token.uri(role)

    def anchor(self, proof_bundle, *more):
        return super().anchor(proof_bundle, "--log-key", self.uri("log"), *more)

    def register(self, proof_bundle, receipts, *more):
        return super().register(proof_bundle, receipts, "--key", self.uri("index"), *more)

    def package(self, folder, name=None, key=None, compress="store"):
        path = self.folder / (name or f"{folder.name}.tar.gz")
        for done in (run("pack", folder, "--out", path, "--compress", compress), self.step("sign", path, "--key", self.key)):
            assert done.code == 0, done
        return path


class Loop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        folder = Path(temporary.name)
        folder.chmod(0o755)
        cls.loop = TokenLoop(folder / "loop", SoftHsm(folder / "hsm").token())
        cls.loop.publish_proved()
        cls.results = cls.loop.until("register")

    def test_it_resolves_with_its_proof_for_a_stranger_who_has_no_token(self):
        uri = self.results["register"]["uri"]
        done = run("verify", uri, "--registry", self.loop.location, "--trust", self.loop.trust, "--state", self.loop.folder / "stranger",
                   env=environment(HOME=str(self.loop.folder)))
        self.assertEqual(0, done.code, done)
        self.assertEqual(0, self.loop.resolve(uri).code)

    def test_a_second_loop_changes_nothing(self):
        self.assertEqual(self.results["register"]["uri"], self.loop.until("register")["register"]["uri"])

    def test_each_step_that_checks_takes_the_public_key_of_the_token(self):
        package = self.loop.folder / "probe-1.0.0.tar.gz"
        key = ["--key", self.loop.public_key]
        for step, words in (("verify", [package, *key]), ("publish", [package, "--registry", self.loop.location, *key]),
                            ("deploy", [*key, "--", self.loop.reference]), ("download", [package, "--store", self.loop.folder / "store", *key])):
            done = self.loop.step(step, *words)
            self.assertEqual(0, done.code, done)

    def test_a_key_that_the_policy_does_not_trust_signs_nothing_for_the_index(self):
        done = self.loop.step("register", "--proof-bundle", self.results["generate-proof"]["proof_bundle"], "--receipts",
                              self.results["anchor"]["receipts"], "--key", self.loop.uri("capsule"), "--", self.loop.reference)
        self.assertEqual(11, done.code, done)


class Workflow(WorkflowBench):
    KEY = "pkcs11:token=capsules;object=k?pin-source=file:/run/pin"
    VARIABLES = {"CAPSULE_PKCS11_MODULE": str(MODULE), "CAPSULE_PKCS11_PIN": "1234", "SOFTHSM2_CONF": "/etc/softhsm2.conf",
                 "YUBIHSM_PKCS11_CONF": "/etc/yubihsm.conf"}

    def two_steps(self, key):
        self.workflow(steps(call("sign", arguments={"key": "{{inputs.parameters.key}}"}), call("other"), inputs=inputs("key")),
                      leaf("sign", "--key={{inputs.parameters.key}}", inputs=["key"]), leaf("other"), parameters={"key": key})

    def test_what_a_token_needs_goes_to_the_step_with_its_key_alone(self):
        self.two_steps(self.KEY)
        done = self.run_it(env=environment(**self.VARIABLES))
        self.assertEqual(0, done.code, done)
        seen = {line["label"]: line["environment"] for line in self.calls()}
        for name, value in self.VARIABLES.items():
            self.assertEqual(value, seen["sign"].get(name))
            self.assertNotIn(name, seen["other"])
        self.assertIn(f"--key={self.KEY}", self.calls()[0]["arguments"])

    def test_a_pem_key_gets_nothing_of_it(self):
        self.two_steps("/keys/key.pem")
        self.assertEqual(0, self.run_it(env=environment(**self.VARIABLES)).code)
        for line in self.calls():
            self.assertEqual(set(), set(self.VARIABLES) & set(line["environment"]))

    def test_a_workflow_names_no_module_of_its_own(self):
        self.two_steps(f"{self.KEY}&module-path=/tmp/mine.so")
        done = self.run_it(env=environment(**self.VARIABLES))
        self.assertEqual(2, done.code, done)
        self.assertIn("/tmp/mine.so", done.stderr)
        self.assertEqual([], self.calls())
        self.two_steps(f"{self.KEY}&module-path={MODULE}")
        self.assertEqual(0, self.run_it(env=environment(**self.VARIABLES)).code)


if __name__ == "__main__":
    unittest.main()
