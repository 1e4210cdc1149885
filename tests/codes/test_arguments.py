"""What is typed and cannot be used is refused with 2, in one line, before anything is done; nothing is swallowed."""
import json
import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

from steps import SOURCE, environment, run


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def run_step(self, step, *arguments, env=None, **kwargs):
        return run(step, *arguments, cwd=self.folder, env=environment(HOME=str(self.folder), **(env or {})), **kwargs)

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

    def test_a_mistyped_flag_is_named_rather_than_what_it_was_meant_to_be(self):
        self.assertIn("not expected: --regsitry", self.refused("publish", "package", "--regsitry", "oci-layout:r"))


class Lists(Case):
    """An option that may be named several times takes one value each time: what follows is a positional argument."""

    def commands(self):
        """(step, [] or [subcommand], the program's page of the manual where it is about that)."""
        for main in sorted((SOURCE / "steps").glob("*/main.cpp")):
            step = main.parent.name
            page = self.run_step(step, "--man-page").stdout.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "")
            help_text = self.run_step(step, "--help").stdout
            block = re.search(r"^Subcommands:\n((?:  .*\n)+)", help_text, re.M)
            yield step, [], page
            for word in re.findall(r"^  (\w\S*)", block[1], re.M) if block else []:
                yield step, [word], page

    def test_every_list_of_every_program(self):
        found = set()
        for step, words, page in self.commands():
            for option in re.findall(r"^(?:-\w, )?(--[a-z-]+) .*\n.* Repeatable\.$", page, re.M):
                if f" {option} " not in self.run_step(step, *words, "--help").stdout.replace(",--", " --"):
                    continue
                found.add((step, option))
                with self.subTest(step=step, words=words, option=option):
                    said = self.refused(step, *words, option, "a=b", *(f"word-{i}" for i in range(9)))
                    self.assertRegex(said, "not expected: .*word-8")
        self.assertLessEqual({("deploy", "--allow-unmet"), ("download", "--auth-host"), ("register", "--receipts"),
                              ("run", "--parameter"), ("run", "--pass-env"), ("publish", "--insecure-registry"),
                              ("verify", "--allow-unmet"), ("generate-proof", "--insecure-proof-service")}, found)

    def test_several_values_stand_in_one_with_commas_or_in_several(self):
        for words in (["--insecure-registry", "a,https://b", "x"], ["--insecure-registry", "a", "--insecure-registry", "https://b", "x"]):
            self.assertIn("https://b", self.refused("publish", "--registry", "oci://localhost/x", *words))


class Outputs(Case):
    """What an earlier run left under --outputs never passes for what this one found."""

    def setUp(self):
        super().setUp()
        self.assertEqual(0, self.run_step("sign", "keygen", "--out", "k").code)
        (self.folder / "mine").write_text("not an output\n")
        self.assertEqual(0, self.run_step("deploy", "delete", "x", "--state", "s", "--outputs", "o").code)
        (self.folder / "o/name").write_text("old")  # as verify leaves it
        (self.folder / "o/run-record").write_text("old")
        (self.folder / "o/mine").write_text("of somebody else")

    def report(self):
        return json.loads((self.folder / "o/report.json").read_text())

    def test_a_failure_leaves_no_old_outputs(self):
        self.refused("verify", "none.tar.gz", "--key", "k.pub.pem", "--outputs", "o", code=12)
        self.assertEqual(12, self.report()["error"]["exit_code"])
        self.assertEqual({"mine", "report.json", "run-record"}, {entry.name for entry in (self.folder / "o").iterdir()})

    def test_a_refusal_of_the_arguments_is_reported_too(self):
        for words, env in ((["--outputs", "o"], {}), (["--outputs=o", "--", "y"], {}), ([], {"CAPSULE_OUTPUTS": "o"})):
            with self.subTest(words=words, env=env):
                (self.folder / "o/run-record").write_text("old")
                line = self.refused("deploy", "x", "--parameters=@none", *words, env=env, code=12)
                self.assertEqual("not_found", self.report()["error"]["kind"])
                line = self.refused("deploy", "--no-option", *words, env=env)
                self.assertEqual({"error"}, set(self.report()))
                self.assertEqual((2, True), (self.report()["error"]["exit_code"], self.report()["error"]["message"] in line))
                self.assertFalse((self.folder / "o/run-record").exists())
                self.assertTrue((self.folder / "o/mine").exists())

    def test_outputs_that_the_workflow_named_go_too_but_are_input_until_the_end(self):
        (self.folder / "o/of-a-workflow").write_text("7")
        (self.folder / "o/mine").write_text("{}")
        (self.folder / "o/report.json").write_text('{"of_a_workflow": "7", "mine": "other content"}')
        self.refused("run", "none.yaml", "-p", "x=@o/of-a-workflow", "--outputs", "o", code=12)
        self.assertFalse((self.folder / "o/of-a-workflow").exists())
        self.assertTrue((self.folder / "o/mine").exists())

    def test_a_stricter_umask_stays(self):
        for mask, mode in ((0o077, 0o644 if os.geteuid() == 0 else 0o600), (0, 0o644)):
            with self.subTest(mask=mask):
                self.assertEqual(0, self.run_step("deploy", "delete", "x", "--outputs", f"masked-{mask}", umask=mask).code)
                self.assertEqual(mode, (self.folder / f"masked-{mask}/report.json").stat().st_mode & 0o777)


class Values(Case):
    def test_numbers_are_decimal(self):
        service = ("proof-service", "--database", "p.db")
        for option, step, words, values in (
                ("--seed", "deploy", ["x"], ("010", "0x10", "1e3", "-1", "1.0", "9007199254740992")),
                ("--budget", "deploy", ["x"], ("010", "0x10", "1e3")), ("--watts", "deploy", ["x"], ("0x1p3", "1e3", "nan", "-1")),
                ("--replicas", "agent", ["--root", "x", "--data", "y", "--socket", "s"], ("-1", "010", "0x1", "1001")),
                ("--runs", "agent", ["--root", "x", "--data", "y", "--socket", "s"], ("0", "010", "1001")),
                ("--rate", *service[:1], service[1:], ("0x1p3", "0", "inf")),
                ("--max-bytes", "download", ["x"], ("010", "0x10", "-1", "0", "64G"))):
            for value in values:
                with self.subTest(step=step, option=option, value=value):
                    line = self.refused(step, *words, f"{option}={value}")
                    self.assertIn(f"{option}: '{value}' is no ", line)
        self.assertIn("no whole number", self.refused("deploy", "x", "--seed", "1e3"))
        self.assertIn("no whole number", self.refused("deploy", "x", env={"CAPSULE_SEED": "010"}))

    def test_a_time_limit_is_from_1ms_to_a_year_also_where_it_is_not_used(self):
        proof = ["x", "--run-record", "y", "--key", "k"]
        for option, step, words in (("--timeout", "deploy", ["x"]), ("--timeout", "deploy", ["delete", "x"]),
                                    ("--timeout", "agent", ["--root", "x", "--data", "y", "--socket", "s"]),
                                    ("--timeout", "verify", ["x"]), ("--timeout", "download", ["x"]),
                                    ("--hook-time", "generate-proof", proof), ("--service-time", "generate-proof", proof)):
            for value in ("0", "-1", "0s", "99999999999999999999h", "8761h", "soon"):
                with self.subTest(step=step, option=option, value=value):
                    self.assertIn(f"{option}: ", self.refused(step, *words, f"{option}={value}"))

    def test_an_address_that_cannot_be_had_leaves_nothing(self):
        for listen in ("127.0.0.1:99999", "here", "8.8.8.8:1"):
            with self.subTest(listen):
                self.refused("proof-service", "--database", "below/p.db", "--listen", listen)
                self.assertEqual([], list(self.folder.iterdir()))
        (self.folder / "text").write_text("x" * 5000)
        self.refused("proof-service", "--database", "text", code=10)
        self.assertEqual(["text"], [entry.name for entry in self.folder.iterdir()])

    def test_a_passphrase_is_one_line(self):
        for text, code in (("one", 0), ("one\n", 0), ("one\r\n", 0), ("one\ntwo\n", 2), ("one\n\n", 2), ("\n", 2)):
            with self.subTest(text):
                (self.folder / "file").write_bytes(text.encode())
                done = self.run_step("sign", "keygen", "--out", f"k{text.encode().hex()}", "--passphrase-file", "file")
                self.assertEqual(code, done.code, done)

    def test_a_key_prefix_is_no_folder(self):
        (self.folder / "kk").mkdir()
        for prefix in (".", "..", "/", "kk/", "kk/.", str(self.folder) + "/"):
            with self.subTest(prefix):
                self.assertIn("a name is wanted, not a folder", self.refused("sign", "keygen", "--out", prefix))
        self.assertEqual(["kk"], [path.name for path in self.folder.rglob("*")])
        self.assertEqual(0, self.run_step("sign", "keygen", "--out", "kk/x.y").code)

    def test_what_is_not_made_yet_is_said(self):
        own = ("verify", "--state", "s", "--trust", "s/configmaps/capsule-trust/trust.yaml", "package.tar.gz")
        self.assertIn("capsule-sign keygen --state", self.refused(*own, code=12))
        elsewhere = self.refused("verify", "--trust", "t/configmaps/capsule-trust/trust.yaml", "package.tar.gz", code=12)
        self.assertNotIn("keygen", elsewhere)
        self.assertIn("capsule-sign keygen --state", self.refused("verify", "package.tar.gz"))
        self.refused("verify", "--trust", "s/trust.yaml", "package.tar.gz", code=12)

    def test_a_file_where_the_folder_of_a_capsule_is_wanted(self):
        (self.folder / "capsule.json").write_text("{}")
        self.assertIn("is no folder: give the one", self.refused("pack", "capsule.json", "--out", "x.tar.gz", code=10))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
