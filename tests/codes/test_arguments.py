"""What is typed and cannot be used is refused with 2, in one line, before anything is done; nothing is swallowed."""
import sys
import tempfile
import unittest
from pathlib import Path

from steps import environment, run


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def run_step(self, step, *arguments, env=None):
        return run(step, *arguments, cwd=self.folder, env=environment(HOME=str(self.folder), **(env or {})))

    def refused(self, step, *arguments, env=None, code=2):
        done = self.run_step(step, *arguments, env=env)
        self.assertEqual((code, "", 1), (done.code, done.stdout, len(done.stderr.splitlines())), (step, arguments, done))
        return done.stderr


class Strangers(Case):
    """The program's own arguments are not a subcommand's."""

    def test_a_stray_argument_behind_a_subcommand(self):
        layout = f"oci-layout:{self.folder}"
        for step, *arguments in (("deploy", "delete", "nonesuch", "r19", "--state", "st"), ("deploy", "x", "delete", "y"),
                                 ("deploy", "delete", "x", "--seed", "3"), ("deploy", "delete", "x", "--new-run"),
                                 ("deploy", "--seed=3", "delete", "x"), ("deploy", "delete", "x", "--", "y"),
                                 ("deploy", "delete", "x", "--allow-unmet", "y"), ("deploy", "delete", "x", "--watts=3"),
                                 ("register", "resolve", "capsule://x:1.0.0", "garbage", "--registry", layout),
                                 ("register", "list", "x", "garbage", "--registry", layout),
                                 ("register", "list", "--receipts", "x", "--registry", layout),
                                 ("sign", "keygen", "typo", "--out", "kk"), ("sign", "keygen", "--out", "kk", "--key", "none")):
            with self.subTest(step=step, arguments=arguments):
                self.assertIn("--help", self.refused(step, *arguments))
                self.assertEqual([], list(self.folder.iterdir()))
        self.assertIn("'delete' takes no: r19, --seed 3, --new-run (", self.refused(
            "deploy", "delete", "x", "r19", "--seed", "3", "--new-run"))

    def test_what_is_common_is_good_on_both_sides_and_the_environment_is_no_argument(self):
        for arguments in (("--output", "json", "--state", "s", "delete", "x"), ("delete", "x", "--state", "s", "--output=json"),
                          ("delete", "x", "--outputs", "o")):
            with self.subTest(arguments):
                done = self.run_step("deploy", *arguments, env={"CAPSULE_SEED": "no number", "CAPSULE_KEY": "none.pem",
                                                                "CAPSULE_STATE": str(self.folder / "s")})
                self.assertEqual(0, done.code, done)
                self.assertEqual("x", done.result["name"])
        self.assertTrue((self.folder / "o/report.json").exists())
        self.assertEqual(0, self.run_step("deploy", "delete", "--help", env={"CAPSULE_SEED": "no number"}).code)

    def test_a_name_to_list_may_stand_alone(self):
        self.run_step("sign", "keygen", "--state", "s")
        (self.folder / "registry").mkdir()
        layout = f"oci-layout:{self.folder / 'registry'}"
        outcomes = [self.run_step("register", "list", *words, "--registry", layout, "--state", "s")
                    for words in (["x"], ["--name", "x"], [])]
        self.assertEqual(outcomes[0].stderr, outcomes[1].stderr)
        self.assertEqual(outcomes[0].code, outcomes[1].code)
        self.assertNotEqual(0, outcomes[0].code)
        self.assertEqual(0, outcomes[2].code, outcomes[2])

    def test_what_is_not_expected_is_listed_as_it_was_typed(self):
        self.assertIn("not expected: --seed 3 --more", self.refused("verify", "package", "--seed", "3", "--more"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
