"""The shipped loops with every key on a token: the workflow files take the URIs as parameters, the PIN is in none of them."""
import tempfile
import unittest
from pathlib import Path

from loop import LOOPS, URI, Loop, sample_capsule
from steps import run
from tokens import MODULE, SoftHsm

ROLES = {"capsule": "ecdsa-p256", "proof": "ecdsa-p256", "index": "ecdsa-p256", "log": "ed25519"}


class TokenWorkflow(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.folder.chmod(0o755)
        self.token = SoftHsm(self.folder / "hsm").token()
        self.loop = Loop(self.folder / "loop")
        self.loop.folder.mkdir()
        self.loop.folder.chmod(0o755)
        self.assertEqual(self.loop.keygen().code, 0)
        trust = "version: 1\n"
        for number, (role, kind) in enumerate(ROLES.items(), 1):
            self.token.generate(role, kind, f"0{number}")
            trust += f"{role}:\n  - keys: [{{file: {self.token.public_key(f'0{number}')}}}]\n"
        (self.loop.state / "configmaps/capsule-trust/trust.yaml").write_text(trust)
        for key in self.loop.state.glob("secrets/*/*"):
            key.unlink()  # nothing but the token can sign
        self.loop.environment.update(self.token.hsm.variables, CAPSULE_PKCS11_MODULE=str(MODULE))

    def parameter(self, name, role):
        return ["-p", f"{name}={self.token.uri(role, module=None)}"]

    def done(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)
        self.assertNotIn(self.token.pin, outcome.stdout + outcome.stderr)
        return outcome.result

    def test_build_and_deploy(self):
        capsule = sample_capsule(self.folder)
        self.assertEqual(self.loop.build(capsule).code, 12)  # nothing is named, and the Secret holds no key
        built = self.done(run("run", LOOPS / "capsule-build.yaml", "-p", f"source={capsule}", "-p", "publish=false",
                              "-p", f"pkcs11-module={MODULE}", *self.parameter("key", "capsule"), env=self.loop.environment))
        self.loop.package = built["package"]
        keys = [word for role in ("proof", "log", "index") for word in self.parameter(f"{role}-key", role)]
        self.done(self.loop.deploy(*keys))
        self.done(self.loop.resolve(URI))
        holders = [path for path in self.folder.rglob("*") if path.is_file() and self.token.pin.encode() in path.read_bytes()]
        self.assertEqual(holders, [self.token.pin_file])


if __name__ == "__main__":
    unittest.main()
