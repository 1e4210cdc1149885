"""capsule-sign keygen: what it writes, what it keeps, and what never leaves it."""

import json
import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

import strict_yaml

BIN = pathlib.Path(os.environ["CAPSULE_BIN"])
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def keygen(*arguments, expect=0, **environment):
    done = subprocess.run([BIN / "capsule-sign", "keygen", *map(str, arguments)], capture_output=True, text=True,
                          env=ENVIRONMENT | environment, timeout=120)
    if done.returncode != expect:
        raise AssertionError(f"exit {done.returncode}, wanted {expect}: {done.stderr}")
    return json.loads(done.stdout) if expect == 0 else done.stderr


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


class Pair(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_every_type_is_what_openssl_reads(self):
        for kind, says in (("ecdsa-p256", "prime256v1"), ("ed25519", "ED25519"), ("rsa-3072", "3072 bit")):
            with self.subTest(kind):
                result = keygen("--out", self.folder / kind, "--type", kind)
                private, public = self.folder / f"{kind}.pem", self.folder / f"{kind}.pub.pem"
                self.assertEqual((str(private), str(public)), (result["private_key"], result["public_key"]))
                self.assertTrue(result["fresh"])
                self.assertIn(says, openssl("pkey", "-in", private, "-text", "-noout"))
                self.assertEqual(public.read_text(), openssl("pkey", "-in", private, "-pubout"))
                self.assertEqual((0o600, 0o644), (mode(private), mode(public)))

    def test_the_private_key_is_its_owners_alone_whatever_the_umask(self):
        previous = os.umask(0)
        self.addCleanup(os.umask, previous)
        keygen("--out", self.folder / "k")
        self.assertEqual(0o600, mode(self.folder / "k.pem"))

    def test_a_second_call_keeps_the_key_and_completes_the_pair(self):
        first = keygen("--out", self.folder / "k")
        key = (self.folder / "k.pem").read_bytes()
        public = (self.folder / "k.pub.pem").read_bytes()
        (self.folder / "k.pub.pem").unlink()
        second = keygen("--out", self.folder / "k")
        self.assertFalse(second["fresh"])
        self.assertEqual(first["key_id"], second["key_id"])
        self.assertEqual((key, public), ((self.folder / "k.pem").read_bytes(), (self.folder / "k.pub.pem").read_bytes()))

    def test_nothing_is_overwritten(self):
        keygen("--out", self.folder / "k")
        before = (self.folder / "k.pem").read_bytes()
        keygen("--out", self.folder / "k", "--type", "ed25519", expect=14)
        keygen("--out", self.folder / "other")
        (self.folder / "k.pub.pem").write_bytes((self.folder / "other.pub.pem").read_bytes())
        keygen("--out", self.folder / "k", expect=14)
        (self.folder / "other.pem").unlink()
        keygen("--out", self.folder / "other", expect=14)
        self.assertEqual(before, (self.folder / "k.pem").read_bytes())
        self.assertFalse((self.folder / "other.pem").exists())

    def test_a_passphrase_encrypts_and_is_shown_nowhere(self):
        secret = "a passphrase 93c1"
        (self.folder / "phrase").write_text(secret + "\n")
        for name, arguments, environment in (("f", ["--passphrase-file", self.folder / "phrase"], {}),
                                             ("e", [], {"CAPSULE_PASSPHRASE": secret})):
            with self.subTest(name):
                result = keygen("--out", self.folder / name, *arguments, **environment)
                private = self.folder / f"{name}.pem"
                self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", private.read_text())
                self.assertEqual((self.folder / f"{name}.pub.pem").read_text(),
                                 openssl("pkey", "-in", private, "-passin", f"file:{self.folder / 'phrase'}", "-pubout"))
                self.assertNotIn(secret, json.dumps(result))
                # Kept with the passphrase; without it, or with another one, an error without it.
                self.assertFalse(keygen("--out", self.folder / name, *arguments, **environment)["fresh"])
                self.assertIn("--passphrase-file", keygen("--out", self.folder / name, expect=2))
                self.assertNotIn("93c2", keygen("--out", self.folder / name, expect=13,
                                                CAPSULE_PASSPHRASE="a passphrase 93c2"))

    def test_bad_passphrase_files(self):
        for name, content in (("empty", b""), ("newline", b"\n"), ("long", b"x" * 1025)):
            with self.subTest(name):
                (self.folder / name).write_bytes(content)
                keygen("--out", self.folder / "k", "--passphrase-file", self.folder / name, expect=2)
        keygen("--out", self.folder / "k", "--passphrase-file", self.folder / "none", expect=12)
        self.assertFalse((self.folder / "k.pem").exists())

    def test_bad_calls(self):
        keygen(expect=2)
        keygen("--out", self.folder / "k", "--type", "p521", expect=2)
        keygen("--out", self.folder / "none" / "k", expect=12)


class State(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = pathlib.Path(folder.name) / "state"

    def contents(self):
        return {path.relative_to(self.state): path.read_bytes() for path in self.state.rglob("*") if path.is_file()}

    def test_four_keys_and_a_policy_that_trusts_them(self):
        result = keygen("--state", self.state)
        self.assertEqual(4, len(result["keys"]))
        policy = strict_yaml.load_file(self.state / "configmaps/capsule-trust/trust.yaml")
        self.assertEqual(["version", "capsule", "proof", "index", "log"], list(policy))
        for role in ("capsule", "proof", "index", "log"):
            with self.subTest(role):
                folder = self.state / f"secrets/capsule-key-{role}"
                self.assertEqual([{"keys": [(folder / "key.pub.pem").read_text()]}], policy[role])
                self.assertEqual((0o700, 0o600), (mode(folder), mode(folder / "key.pem")))
        self.assertEqual(0o700, mode(self.state / "secrets"))
        self.assertEqual(0o755, mode(self.state))  # a capsule's own user must get to its folder below

    def test_a_second_call_changes_nothing_and_makes_what_is_missing(self):
        keygen("--state", self.state)
        before = self.contents()
        keygen("--state", self.state)
        self.assertEqual(before, self.contents())
        (self.state / "secrets/capsule-key-index/key.pub.pem").unlink()
        (self.state / "configmaps/capsule-trust/trust.yaml").unlink()
        keygen("--state", self.state)
        self.assertEqual(before, self.contents())

    def test_a_policy_that_is_there_is_kept_and_its_gaps_are_named(self):
        keygen("--state", self.state)
        (self.state / "secrets/capsule-key-proof/key.pem").unlink()
        (self.state / "secrets/capsule-key-proof/key.pub.pem").unlink()
        before = (self.state / "configmaps/capsule-trust/trust.yaml").read_bytes()
        done = subprocess.run([BIN / "capsule-sign", "keygen", "--state", self.state], capture_output=True, text=True,
                              env=ENVIRONMENT, check=True)
        self.assertIn("'proof'", done.stderr)
        self.assertEqual(before, (self.state / "configmaps/capsule-trust/trust.yaml").read_bytes())

    def test_the_state_folder_comes_from_the_environment_too(self):
        keygen(CAPSULE_STATE=str(self.state))
        self.assertTrue((self.state / "secrets/capsule-key-capsule/key.pem").exists())
        keygen("--state", self.state, "--type", "ed25519", expect=2)


if __name__ == "__main__":
    unittest.main()
