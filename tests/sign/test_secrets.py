"""Encrypted keys: a passphrase comes from a file or the environment, is tried once, and is shown nowhere (attacks 25)."""
import os
import tempfile
import unittest
from pathlib import Path

import openssl
import small_capsule
from steps import environment, run, start

SECRET = "a secret 5c1e7a90"
WRONG = "a guess 77d0f3b2"


class Secrets(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.phrase, self.wrong = self.folder / "phrase", self.folder / "wrong"
        self.phrase.write_text(SECRET + "\n")
        self.wrong.write_text(WRONG + "\n")
        self.key, self.public = openssl.key_pair(self.folder, "key", passphrase_file=self.phrase)
        capsule = small_capsule.write(self.folder / "capsule", os.urandom(1_000_000))
        self.package = self.folder / "p.tar.gz"
        self.assertEqual(0, run("pack", capsule, "--out", self.package).code)

    def sign(self, *arguments, **variables):
        return run("sign", self.package, "--key", self.key, "--outputs", self.folder / "outputs", *arguments,
                   env=environment(**variables))

    def assert_shown_nowhere(self, done):
        shown = [done.stdout, done.stderr]
        shown += [path.read_bytes().decode("latin-1") for path in self.folder.rglob("*")
                  if path.is_file() and path not in (self.phrase, self.wrong)]
        key_lines = [line for line in self.key.read_text().splitlines() if not line.startswith("-----")]
        for text in shown:
            for secret in (SECRET, WRONG):
                self.assertNotIn(secret, text)
        for text in shown[:2]:
            for line in key_lines:
                self.assertNotIn(line, text)

    def test_the_right_passphrase_from_a_file_or_the_environment(self):
        for arguments, variables in ((["--passphrase-file", self.phrase], {}), ([], {"CAPSULE_PASSPHRASE": SECRET}),
                                     ([], {"CAPSULE_PASSPHRASE_FILE": str(self.phrase)}),
                                     (["--passphrase-file", self.phrase], {"CAPSULE_PASSPHRASE": WRONG})):
            with self.subTest(arguments=arguments, variables=variables):
                done = self.sign(*arguments, **variables)
                self.assertEqual(0, done.code, done)
                self.assert_shown_nowhere(done)
        self.assertEqual(0, run("verify", self.package, "--key", self.public).code)

    def test_a_wrong_passphrase_is_denied_and_changes_nothing(self):
        before = self.package.read_bytes()
        for arguments, variables in ((["--passphrase-file", self.wrong], {}), ([], {"CAPSULE_PASSPHRASE": WRONG})):
            with self.subTest(arguments=arguments, variables=variables):
                done = self.sign(*arguments, **variables)
                self.assertEqual((13, ""), (done.code, done.stdout), done)
                self.assertEqual(1, len(done.stderr.splitlines()))
                self.assert_shown_nowhere(done)
        self.assertEqual(before, self.package.read_bytes())
        self.assertEqual([], list(self.folder.glob("p.tar.gz.*")))

    def test_a_missing_passphrase_says_how_to_give_it(self):
        for variables in ({}, {"CAPSULE_PASSPHRASE": ""}):
            done = self.sign("--passphrase-file=", **variables)
            self.assertEqual(2, done.code, done)
            self.assertIn("--passphrase-file", done.stderr)
            self.assertIn("CAPSULE_PASSPHRASE", done.stderr)

    def test_a_passphrase_is_no_argument(self):
        for option in ("--passphrase", "--password", "--pass"):
            done = run("sign", self.package, "--key", self.key, f"{option}={SECRET}")
            self.assertEqual(2, done.code, done)

    def test_other_users_see_nothing_in_the_command_line(self):
        process = start("sign", self.package, "--key", self.key, "--passphrase-file", self.phrase)
        seen = set()
        while process.poll() is None:
            try:
                seen.add(Path(f"/proc/{process.pid}/cmdline").read_bytes())
            except OSError:
                break
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, stderr)
        for text in (*seen, stdout.encode(), stderr.encode()):
            self.assertNotIn(SECRET.encode(), text)

    def test_debug_output_of_a_pod_shows_nothing_either(self):
        done = self.sign("--passphrase-file", self.wrong, KUBERNETES_SERVICE_HOST="10.0.0.1", CAPSULE_LOG="debug")
        self.assertEqual(13, done.code, done)
        self.assert_shown_nowhere(done)


if __name__ == "__main__":
    unittest.main()
