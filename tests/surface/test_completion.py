"""Completion files are sourced in the real shells: what they offer is what --help lists, for every program."""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import steps
from terminal import Terminal

STEPS = sorted(path.parent.name for path in (steps.SOURCE / "steps").glob("*/main.cpp"))
FOLDERS = {"bash": "bash-completion/completions", "fish": "fish/vendor_completions.d", "zsh": "zsh/site-functions"}
FILES = {"bash": "capsule-{}", "fish": "capsule-{}.fish", "zsh": "_capsule-{}"}


def said(step, *words):
    outcome = steps.run(step, *words)
    assert outcome.code == 0, outcome
    return outcome.stdout


def subcommands_of(step):
    block = re.search(r"^Subcommands:\n((?:  .*\n)+)", said(step, "--help"), re.M)
    return re.findall(r"^  (\w\S*)", block[1], re.M) if block else []


def long_options_in(help_text):
    block = re.search(r"^Options:\n((?:  .*\n)+)", help_text, re.M)[1]
    return set(re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", block, re.M))


def commands():
    """(step, [] or [subcommand], its long options)."""
    for step in STEPS:
        own = long_options_in(said(step, "--help"))
        yield step, [], own
        for word in subcommands_of(step):
            # What is common is good behind a subcommand too.
            common = own & {"--help", "--version", "--output", "--outputs", "--state"}
            yield step, [word], long_options_in(said(step, word, "--help")) | common


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="capsule-completion-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for shell, below in FOLDERS.items():
            (cls.folder / below).mkdir(parents=True)
            for step in STEPS:
                (cls.folder / below / FILES[shell].format(step)).write_text(said(step, "--completion", shell))
        cls.work = cls.folder / "work"
        (cls.work / "some-folder").mkdir(parents=True)
        (cls.work / "some-file").touch()

    def file_of(self, shell, step):
        return self.folder / FOLDERS[shell] / FILES[shell].format(step)

    def run_in(self, shell, script):
        done = subprocess.run([shell, *{"bash": ["--norc"], "fish": ["--no-config"]}[shell], "-c", script], cwd=self.work,
                              env=steps.environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), script)
        return done.stdout.splitlines()

    def offered_by_bash(self, step, *words):
        """Words that the completion function gives for the last of WORDS."""
        function = f"_capsule_{step}".replace("-", "_")
        typed = " ".join(f"'{word}'" for word in (f"capsule-{step}", *words))
        return self.run_in("bash", f"compopt() {{ :; }}; source {self.file_of('bash', step)}; COMP_WORDS=({typed}); "
                                   f"COMP_CWORD={len(words)}; {function}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")

    def offered_by_fish(self, step, *words):
        typed = " ".join((f"capsule-{step}", *words))
        lines = self.run_in("fish", f"source {self.file_of('fish', step)}; complete -C '{typed}'")
        return [line.split("\t")[0] for line in lines]

    def bash(self):
        """A terminal with bash and Debian's bash-completion, which loads our files when they are first wanted."""
        shell = Terminal(["bash", "--norc", "--noprofile", "-i"], cwd=self.work, env=steps.environment(
            BASH_COMPLETION_USER_DIR=str(self.folder / "bash-completion"), TERM="dumb", HISTFILE="", PS1="$ "))
        shell.type("source /usr/share/bash-completion/bash_completion; bind 'set show-all-if-ambiguous on'; "
                   "bind 'set bell-style none'; echo read''y\n")
        shell.wait_for("ready")
        return shell

    def zsh(self):
        shell = Terminal(["zsh", "-f", "-i"], cwd=self.work,
                         env=steps.environment(TERM="dumb", PS1="$ ", ZDOTDIR=str(self.work)))
        shell.type(f"fpath=({self.folder}/zsh/site-functions $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=9999; "
                   "setopt nobeep; bindkey '^U' kill-whole-line; echo read''y\n")
        shell.wait_for("ready")
        return shell

    def test_bash_offers_every_option_of_the_help(self):
        for step, command, options in commands():
            with self.subTest(step=step, command=command):
                self.assertEqual(set(self.offered_by_bash(step, *command, "--")), options)

    def test_fish_offers_every_option_of_the_help(self):
        for step, command, options in commands():
            with self.subTest(step=step, command=command):
                self.assertEqual(set(self.offered_by_fish(step, *command, "--")), options)

    def test_zsh_offers_every_option_of_the_help(self):
        with self.zsh() as shell:
            for step, command, options in commands():
                with self.subTest(step=step, command=command):
                    shell.type(" ".join((f"capsule-{step}", *command, "--\t")))
                    listed = shell.wait_for(*(rf"{option}=? +--" for option in options))
                    self.assertNotIn("--completion", listed)
                    self.assertNotIn("--man-page", listed)
                    shell.type("\x15")

    def test_values_of_an_option_that_has_a_few(self):
        for offered in (self.offered_by_bash, self.offered_by_fish):
            self.assertEqual(sorted(offered("pack", "--compress", "")), ["auto", "store"])
            self.assertEqual(offered("pack", "--output", "j"), ["json"])
            self.assertEqual(sorted(offered("sign", "keygen", "--type", "e")), ["ecdsa-p256", "ed25519"])
            self.assertEqual(offered("verify", "--target", ""), ["this-machine"])
        self.assertEqual(self.offered_by_bash("pack", "--compress", "=", "s"), ["store"])
        self.assertEqual(sorted(self.offered_by_bash("pack", "--compress", "=")), ["auto", "store"])
        self.assertEqual(self.offered_by_fish("pack", "--compress=s"), ["--compress=store"])

    def test_fish_offers_files_folders_and_subcommands_where_they_belong(self):
        self.assertEqual(self.offered_by_fish("pack", "some"), ["some-folder/"])
        self.assertEqual(sorted(self.offered_by_fish("pack", "--out", "some")), ["some-file", "some-folder/"])
        self.assertEqual(self.offered_by_fish("pack", "--outputs", "some"), ["some-folder/"])
        self.assertEqual(self.offered_by_fish("deploy", "--timeout", "some"), [])
        self.assertEqual(self.offered_by_fish("sign", "keyg"), ["keygen"])
        self.assertEqual(sorted(self.offered_by_fish("sign", "some")), ["some-file", "some-folder/"])

    def test_bash_in_a_terminal(self):
        with self.bash() as shell:
            for typed, becomes in (("capsule-pack --comp", "--compress "), ("capsule-pack --compress st", "--compress store "),
                                   ("capsule-pack --compress=st", "--compress=store "),
                                   ("capsule-sign key", "capsule-sign keygen "), ("capsule-sign keygen --ty", "--type "),
                                   ("capsule-sign some-fi", "capsule-sign some-file "),
                                   ("capsule-pack some", "capsule-pack some-folder/"),
                                   ("capsule-pack --out some-fi", "--out some-file "),
                                   ("capsule-pack --outputs=some", "--outputs=some-folder/"),
                                   ("capsule-verify some-fi", "capsule-verify some-file ")):
                with self.subTest(typed=typed):
                    shell.type(typed + "\t")
                    shell.wait_for(re.escape(becomes), timeout=20)
                    shell.type("\x15")
            shell.type("capsule-sign \t")  # a package, or a subcommand
            shell.wait_for(r"keygen +list-keys +some-file +some-folder/", timeout=20)
            shell.type("\x15")
            shell.type("capsule-deploy --timeout some\t#end")  # a duration: nothing to offer
            shell.wait_for("some#end", timeout=20)

    def test_zsh_in_a_terminal(self):
        with self.zsh() as shell:
            for typed, becomes in (("capsule-pack --compr", "--compress="), ("capsule-pack --compress st", "--compress store "),
                                   ("capsule-pack --compress=st", "--compress=store "),
                                   ("capsule-sign keyg", "capsule-sign keygen "), ("capsule-sign keygen --ty", "--type="),
                                   ("capsule-pack some", "capsule-pack some-folder/"),
                                   ("capsule-pack --out some-fi", "--out some-file "),
                                   ("capsule-pack --outputs some", "--outputs some-folder/"),
                                   ("capsule-verify some-fi", "capsule-verify some-file ")):
                with self.subTest(typed=typed):
                    shell.type(typed + "\t")
                    self.assertNotIn("_arguments", shell.wait_for(re.escape(becomes), timeout=20))
                    shell.type("\x15")

    def test_a_shell_that_is_none_of_them(self):
        outcome = steps.run("pack", "--completion", "tcsh")
        self.assertEqual((outcome.code, outcome.stdout), (2, ""))
        self.assertEqual(outcome.stderr, "capsule-pack: error: --completion: tcsh is none of bash, fish, zsh "
                                         "(see capsule-pack --help)\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
