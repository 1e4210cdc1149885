"""Long work shows how far it is: a bar on a terminal, a line in Argo's file, nothing in a pipe."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import openssl
import small_capsule
import steps
from terminal import Terminal

WEIGHTS = 512 << 20  # a bar is first drawn after 100 ms
WIPE = "\r\x1b[K"
SIZE = r"[\d.]+ [KMGT]?i?B"
BAR = rf"{{}} \[=* *\] {SIZE}/{SIZE} {SIZE}/s [\d.]+ \w+( [\d.]+ \w+)? left"


class Progress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="capsule-progress-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.folder.chmod(0o755)
        small_capsule.write(cls.folder / "capsule")
        os.truncate(cls.folder / "capsule/expansion/model.pt", WEIGHTS)
        cls.key, cls.public = openssl.key_pair(cls.folder, "key")
        cls.package = cls.folder / "small.tar.gz"
        cls.check(steps.run("pack", cls.folder / "capsule", "--out", cls.package))
        cls.check(steps.run("sign", cls.package, "--key", cls.key))
        cls.registry = f"oci-layout:{cls.folder}/registry"
        cls.published = cls.check(steps.run("publish", cls.package, "--key", cls.public, "--registry", cls.registry))

    @staticmethod
    def check(outcome):
        assert outcome.code == 0, outcome
        return outcome.result

    def scratch(self, name):
        path = self.folder / name
        self.addCleanup(lambda: shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True))
        return path

    def terminal(self, step, *arguments, **kwargs):
        return Terminal([steps.BIN / f"capsule-{step}", *arguments],
                        kwargs.pop("env", steps.environment(XDG_STATE_HOME=str(self.folder / "state"))),
                        stdout=subprocess.DEVNULL, **kwargs)

    def every(self):
        """(what its bar says, step, arguments) of all steps that work on a whole capsule."""
        package = self.scratch("signed.tar.gz")
        shutil.copy(self.package, package)
        (self.folder / "other.pem").unlink(missing_ok=True)
        other, _ = openssl.key_pair(self.folder, "other")
        state = self.scratch("state")
        reference = self.published["reference"]
        return (("packing", "pack", self.folder / "capsule", "--out", self.scratch("new.tar.gz")),
                ("comparing", "pack", self.folder / "capsule", "--out", self.package),
                ("signing", "sign", package, "--key", other),
                ("verifying", "verify", self.package, "--key", self.public),
                ("publishing", "publish", self.package, "--key", self.public, "--registry",
                 f"oci-layout:{self.scratch('newer')}"),
                ("hashing", "download", self.package, "--store", self.scratch("store")),
                ("copying", "download", reference, "--store", self.scratch("another-store")),
                ("fetching", "deploy", reference, "--key", self.public, "--state", state))

    def assert_wiped(self, output):
        self.assertEqual(output.rsplit(WIPE, 1)[-1].strip(), "", output[-300:])

    def test_a_bar_with_bytes_speed_and_time_left(self):
        for what, step, *arguments in self.every():
            with self.subTest(step=step, what=what), self.terminal(step, *arguments) as terminal:
                code = terminal.finish()
                self.assertRegex(terminal.output, BAR.format(what))
                if step == "deploy":
                    subprocess.run([steps.BIN / "capsule-deploy", "delete", "small", "--state", arguments[-1]],
                                   capture_output=True, check=False)
                else:
                    self.assertEqual(code, 0, terminal.output[-300:])
                    self.assert_wiped(terminal.output)

    def test_publish_has_one_scale_for_all_that_it_does(self):
        """Verifying and sending, also of another tool's package, which is written anew between them."""
        foreign = self.scratch("foreign.tar.gz")
        subprocess.run(["sh", "-c", 'gzip -dc "$1" | gzip -1n >"$2"', "sh", self.package, foreign], check=True)
        for package in (self.package, foreign):
            with self.subTest(package.name), self.terminal("publish", package, "--key", self.public, "--registry",
                                                           f"oci-layout:{self.scratch('scale')}") as terminal:
                self.assertEqual(terminal.finish(), 0, terminal.output[-300:])
                self.assertEqual(set(re.findall(rf"([a-z]+) \[=* *\] {SIZE}/", terminal.output)), {"publishing"})
                filled = [len(bar) for bar in re.findall(r"publishing \[(=*) *\]", terminal.output)]
                self.assertGreater(len(filled), 3)
                self.assertEqual(filled, sorted(filled))

    def test_it_never_wraps(self):
        for columns in (20, 47, 79):
            with self.subTest(columns=columns), \
                    self.terminal("verify", self.package, "--key", self.public, columns=columns) as terminal:
                self.assertEqual(terminal.finish(), 0)
                bars = [bar for bar in terminal.output.split(WIPE) if bar.startswith("verifying")]
                self.assertTrue(bars)
                self.assertLess(max(map(len, bars)), columns)

    def test_it_follows_the_width_of_the_window(self):
        with self.terminal("pack", self.folder / "capsule", "--out", self.scratch("new.tar.gz")) as terminal:
            terminal.wait_for("left")
            terminal.resize(50, 25)
            terminal.read(0)
            seen = len(terminal.output)
            self.assertEqual(terminal.finish(), 0)
            for bar in terminal.output[seen:].split(WIPE)[2:]:
                self.assertLess(len(bar), 25)

    def test_an_error_stands_alone(self):
        damaged = self.scratch("damaged.tar.gz")
        shutil.copy(self.package, damaged)
        with damaged.open("r+b") as file:
            file.seek(-4000, os.SEEK_END)
            file.write(b"damage" * 100)
        with self.terminal("verify", damaged, "--key", self.public) as terminal:
            self.assertIn(terminal.finish(), (10, 11))
            self.assertRegex(terminal.output, BAR.format("verifying"))
            last = terminal.output.rsplit(WIPE, 1)[-1]
            self.assertRegex(last, r"\Acapsule-verify: [^\n]*error[^\n]*\r\n\Z")

    def test_ctrl_c_leaves_no_bar(self):
        target = self.folder / "stopped.tar.gz"
        with self.terminal("pack", self.folder / "capsule", "--out", target) as terminal:
            terminal.wait_for("left")
            terminal.type("\x03")
            self.assertEqual(terminal.finish(), -signal.SIGINT)
            self.assertRegex(terminal.output.rsplit(WIPE, 1)[-1], r"\Acapsule-pack: [^\n]*ended by SIGINT: [^\n]*\r\n\Z")
        self.assertFalse(target.exists())

    def test_a_terminal_that_was_stopped_keeps_nobody_from_ending(self):
        with self.terminal("pack", self.folder / "capsule", "--out", self.folder / "stopped.tar.gz") as terminal:
            terminal.wait_for("left")
            terminal.type("\x13")  # Ctrl-S
            time.sleep(0.3)
            terminal.process.send_signal(signal.SIGTERM)
            self.assertEqual(terminal.process.wait(20), -signal.SIGTERM)

    def test_nothing_in_a_pipe(self):
        outcome = steps.run("verify", self.package, "--key", self.public)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))

    def test_argo_gets_its_line(self):
        file = self.scratch("progress")
        for what, step, *arguments in self.every():
            with self.subTest(step=step, what=what):
                file.unlink(missing_ok=True)
                steps.run(step, *arguments, env=steps.environment(ARGO_PROGRESS_FILE=str(file), XDG_STATE_HOME=str(
                    self.folder / "state")))
                self.assertRegex(file.read_text(), re.compile(r"\A100/100\n\Z"))
                if step == "deploy":
                    steps.run("deploy", "delete", "small", "--state", arguments[-1])

    def test_a_line_that_nobody_reads_is_not_waited_for(self):
        file = self.scratch("pipe")
        os.mkfifo(file)
        self.check(steps.run("verify", self.package, "--key", self.public, env=steps.environment(ARGO_PROGRESS_FILE=str(file))))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
