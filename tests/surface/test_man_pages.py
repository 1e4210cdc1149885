"""Manual pages: nothing that groff or mandoc find fault with, and all that --help says."""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import steps

STEPS = sorted(path.parent.name for path in (steps.SOURCE / "steps").glob("*/main.cpp"))
EPOCH = "1764000000"  # 2025-11-24


class ManPages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="capsule-man-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def page(self, step):
        outcome = steps.run(step, "--man-page", env=steps.environment(SOURCE_DATE_EPOCH=EPOCH))
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        file = self.folder / f"capsule-{step}.1"
        file.write_text(outcome.stdout)
        return file

    def test_the_tools_find_no_fault(self):
        for step in STEPS:
            with self.subTest(step=step):
                file = self.page(step)
                for tool in (["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file],
                             ["mandoc", "-Tlint", "-Wwarning", file]):
                    done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False,
                                          env=steps.environment(MANROFFSEQ="", MANWIDTH="100"))
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    if tool[0] == "mandoc":
                        self.assertEqual(done.stdout, "")

    def test_a_reader_finds_what_the_help_says(self):
        for step in STEPS:
            with self.subTest(step=step):
                shown = subprocess.run(["mandoc", "-Tutf8", "-Owidth=500", self.page(step)], capture_output=True, text=True,
                                       timeout=60, check=True).stdout
                shown = re.sub(r".\x08", "", shown)  # bold and underlined
                help_text = steps.run(step, "--help").stdout
                self.assertIn("2025-11-24", shown)
                for option in re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", help_text, re.M):
                    self.assertRegex(shown, rf"(?m)^ +(-\w, )?{option}\b")
                for variable in re.findall(r"Env:(\w+)", help_text):
                    self.assertIn(f"Environment: {variable}", shown)
                for text in re.findall(r"^ +\d+  (.*)$", help_text.split("Exit codes:")[1], re.M):
                    self.assertIn(text, shown)
                outputs = re.search(r"^Outputs:\n((?:  .*\n)+)", help_text, re.M)
                for name, text in re.findall(r"^  (\S+) +(.*)$", outputs[1] if outputs else "", re.M):
                    self.assertRegex(shown, rf"{name}\s+{re.escape(text)}")
                self.assertIn(help_text.split("\nExample:\n")[1].strip(), shown)

    def test_whatis_finds_the_name(self):
        for step in STEPS:
            done = subprocess.run(["lexgrog", self.page(step)], capture_output=True, text=True, timeout=60, check=True)
            self.assertRegex(done.stdout, rf'"capsule-{step} - \w')

    def test_the_bytes_depend_on_nothing_else(self):
        first = self.page("pack").read_bytes()
        self.assertEqual(first, self.page("pack").read_bytes())
        env = steps.environment(CAPSULE_OUT="elsewhere", CAPSULE_COMPRESS="nonsense", SOURCE_DATE_EPOCH=EPOCH)
        self.assertEqual(steps.run("pack", "--man-page", env=env).stdout.encode(), first)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
