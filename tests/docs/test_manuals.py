"""Documents say what the programs say: every step's README against its --help, and the README against both."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("CAPSULE_SOURCE", Path(__file__).resolve().parents[2]))
BIN = Path(os.environ.get("CAPSULE_BIN", SOURCE / "build/bin"))
STEPS = sorted(path.parent.name for path in (SOURCE / "steps").glob("*/main.cpp"))


def help_of(step, *words):
    done = subprocess.run([BIN / f"capsule-{step}", *words, "--help"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def all_help(step):
    """The help of a step and of its subcommands."""
    text = help_of(step)
    block = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
    for line in block.group(1).splitlines() if block else []:
        if re.match(r"  \w", line):
            text += help_of(step, line.split()[0])
    return text


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))


def listed(help_text, heading):
    block = re.search(rf"^{heading}:\n((?:  .*\n)+)", help_text, re.M)
    return {line.split()[0] for line in block.group(1).splitlines()} if block else set()


class Manuals(unittest.TestCase):
    def test_there_are_steps(self):
        self.assertGreater(len(STEPS), 8)

    def test_every_step_has_a_readme_that_names_only_options_that_exist(self):
        for step in STEPS:
            with self.subTest(step=step):
                readme = (SOURCE / "steps" / step / "README.md").read_text()
                known = options_in(all_help(step)) | {"--help"}
                foreign = re.sub(rf"^.*capsule-(?!{step}\b)[a-z].*$", "", readme, flags=re.M)  # lines about other steps
                foreign = re.sub(r"^.*\b(openssl|sha256sum|cosign|curl|tar|kubectl|apt-get|pkcs11-tool|softhsm2-util)\b.*$", "", foreign, flags=re.M)
                self.assertEqual(options_in(foreign) - known, set())

    def test_every_readme_lists_the_outputs_and_exit_codes_of_the_help(self):
        for step in STEPS:
            with self.subTest(step=step):
                readme = (SOURCE / "steps" / step / "README.md").read_text()
                help_text = help_of(step)
                for output in listed(help_text, "Outputs"):
                    self.assertIn(f"`{output}`", readme)
                codes = readme[readme.index("## Exit codes"):]
                for code in listed(help_text, "Exit codes") - {"1"}:
                    self.assertRegex(codes, rf"\b{code}\b")

    def test_every_help_has_purpose_example_and_exit_codes(self):
        for step in STEPS:
            with self.subTest(step=step):
                help_text = help_of(step)
                self.assertIn("\nExit codes:\n", help_text)
                self.assertIn(f"\nExample:\n  capsule-{step}", help_text)
                self.assertGreater(len(help_text.splitlines()[0]), 20)

    def test_so_has_the_help_of_a_subcommand(self):
        for step, words in (("deploy", ["delete"]), ("register", ["resolve", "list"]), ("sign", ["keygen", "list-keys"])):
            for word in words:
                with self.subTest(step=step, word=word):
                    text = help_of(step, word)
                    self.assertEqual(listed(help_of(step), "Exit codes"), listed(text, "Exit codes"))
                    example = text.split(f"\nExample:\n  capsule-{step} {word} ", 1)[1]
                    self.assertEqual(options_in(example) - options_in(text), set())

    def test_every_example_in_a_help_uses_options_that_exist(self):
        for step in STEPS:
            with self.subTest(step=step):
                example = help_of(step).split("\nExample:\n", 1)[1]
                self.assertEqual(options_in(example) - options_in(all_help(step)), set())

    def test_the_readme_names_every_step_and_only_options_that_exist(self):
        readme = (SOURCE / "README.md").read_text()
        every = set()
        for step in STEPS:
            self.assertIn(f"capsule-{step}", readme)
            every |= options_in(all_help(step))
        for line in readme.splitlines():
            match = re.search(r"\bcapsule-([a-z-]+)\b", line)
            if match and match.group(1) in STEPS and "`" not in line:
                self.assertEqual(options_in(line) - options_in(all_help(match.group(1))), set(), line)

    def test_links_between_documents_lead_somewhere(self):
        for document in [SOURCE / "README.md", *SOURCE.glob("*/README.md"), *SOURCE.glob("*/*/README.md")]:
            for target in re.findall(r"\]\(([\w./-]+)\)", document.read_text()):
                self.assertTrue((document.parent / target).exists(), f"{document.relative_to(SOURCE)} → {target}")

    def test_version_is_one_line(self):
        for step in STEPS:
            done = subprocess.run([BIN / f"capsule-{step}", "--version"], capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (0, f"capsule-{step} 0.1.0\n"))


class Behaviours(unittest.TestCase):
    def test_every_named_test_exists(self):
        table = (SOURCE / "tests/behaviours.md").read_text()
        count = 0
        for row in table.splitlines():
            folder = None
            for name in re.findall(r"[\w/.-]+\.(?:cpp|py)\b", row.rsplit(" | ", 1)[-1]):
                path = SOURCE / name if name.startswith("tests/") else (folder or SOURCE / "tests") / name
                self.assertTrue(path.is_file(), row)
                folder = path.parent
                count += 1
        self.assertGreater(count, 10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
