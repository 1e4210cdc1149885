"""verify --target: whether a verified capsule can run on this machine, and what it may go without."""
import tempfile
import unittest
from pathlib import Path

import small_capsule
from steps import environment, run

LACKING = "gpu:99"


class Target(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        path = Path(temporary.name)
        small_capsule.write(path / "capsule", requirements=[LACKING, "utid:soft"])
        cls.package = path / "small.tar.gz"
        cls.key = path / "key.pub.pem"
        cls.environment = environment(CAPSULE_STATE=str(path / "state"))
        for step in (("pack", path / "capsule", "--out", cls.package), ("sign", "keygen", "--out", path / "key"),
                     ("sign", cls.package, "--key", path / "key.pem")):
            done = run(*step)
            assert done.code == 0, done

    def verify(self, *options):
        return run("verify", self.package, "--key", self.key, *options, env=self.environment)

    def test_without_a_target_nothing_is_asked(self):
        self.assertEqual(0, self.verify().code)
        self.assertEqual(0, self.verify("--target=", "--allow-unmet=").code)

    def test_a_lacking_requirement_is_refused_by_name(self):
        done = self.verify("--target", "this-machine")
        self.assertEqual(15, done.code, done)
        self.assertIn(LACKING, done.stderr)
        self.assertNotIn("utid:soft", done.stderr)
        self.assertEqual(1, len(done.stderr.strip().splitlines()))

    def test_what_is_lacking_is_an_output_of_the_refusal(self):
        with tempfile.TemporaryDirectory() as outputs:
            done = self.verify("--target", "this-machine", "--outputs", outputs)
            self.assertEqual(15, done.code, done)
            self.assertEqual(LACKING, (Path(outputs) / "unmet").read_text(encoding="utf-8"))

    def test_what_the_caller_goes_without_is_waived(self):
        done = self.verify("--target", "this-machine", "--allow-unmet", f"{LACKING},utid:soft")
        self.assertEqual((0, LACKING), (done.code, done.result["waived"]), done)

    def test_misspelt_waivers_and_targets_are_usage_errors(self):
        for options in (("--target", "this-machine", "--allow-unmet", "gpu:9"), ("--target", "the-moon")):
            with self.subTest(options):
                self.assertEqual(2, self.verify(*options).code)


if __name__ == "__main__":
    unittest.main()
