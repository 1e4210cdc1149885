"""Two loops on one capsule at once: on one machine, and on two machines that share registry and log."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from loop import Loop, sample_capsule
from steps import BIN, run

RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"
URI = "capsule://m2n2-metal:0.1.0?proof=true"


class Together(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        os.chmod(self.folder, 0o755)
        self.first = Loop(self.folder / "first")
        self.first.folder.mkdir()
        for done in (self.first.keygen(), self.first.build(sample_capsule(self.folder))):
            self.assertEqual(0, done.code, done)

    def at_once(self, *loops):
        """[(loop, arguments)] started together; their results once each has succeeded: what is busy is asked again, as Argo would."""
        processes = [subprocess.Popen([BIN / "capsule-run", *map(str, loop.deploy_arguments(*more)[1:])], env=loop.environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) for loop, more in loops]
        ends = [(process.communicate(timeout=300), process.returncode) for process in processes]
        results = []
        for (loop, more), ((_, stderr), code) in zip(loops, ends, strict=True):
            self.assertIn(code, (0, 40, 42), stderr)
            done = loop.deploy(*more)
            self.assertEqual(0, done.code, done)
            results.append(done.result)
        self.assertIn(0, [code for _, code in ends], "one of them gets through at once")
        return results

    def check(self, runs):
        self.assertEqual(runs, len(self.first.referrers(RUN_RECORD)))
        self.assertEqual(runs, len(self.first.referrers(RECEIPT)))
        self.assertEqual(runs, self.first.log_size())
        self.assertEqual(0, run("verify", URI, "--registry", self.first.registry, env=self.first.environment).code)
        self.assertEqual([], self.first.leftovers())

    def test_the_same_loop_is_one_run(self):
        one, two = self.at_once((self.first, ()), (self.first, ()))
        self.assertEqual(one, two)
        self.check(1)

    def test_two_runs_of_one_capsule_on_one_machine(self):
        one, two = self.at_once((self.first, ("-p", "seed=1")), (self.first, ("-p", "seed=2")))
        self.assertNotEqual(one["run_record"], two["run_record"])
        self.check(2)

    def test_two_machines_that_share_registry_and_log(self):
        second = Loop(self.folder / "second", self.first.package)
        second.folder.mkdir()
        second.registry, second.log = self.first.registry, self.first.log
        for part in ("secrets", "configmaps"):
            shutil.copytree(self.first.state / part, second.state / part)
        one, two = self.at_once((self.first, ()), (second, ()))
        self.assertNotEqual(one["run_record"], two["run_record"])
        self.check(2)
        self.assertEqual([], second.leftovers())


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
