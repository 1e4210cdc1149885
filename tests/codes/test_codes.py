"""One rule for all steps: what was typed, or configures a step, and cannot be used is 2; a named file that is not there is 12, whoever
names it; a package or document with wrong content is 10. Each refusal is one line that says nothing twice, and nothing on stdout."""
import os
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from capsule_maker import tar_of
from small_loop import SmallLoop
from steps import SOURCE, run

DIGEST = "sha256:" + "0" * 64
BUILD = SOURCE / "workflows/loops/capsule-build.yaml"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.loop = SmallLoop(cls.folder)
        cls.reference = cls.loop.publish_proved()
        cls.package = cls.folder / "probe-1.0.0.tar.gz"
        (cls.folder / "text").write_text("this is none\n")
        (cls.folder / "folder").mkdir()
        cls.secrets = cls.loop.state / "secrets"

    def refused(self, code, step, *arguments, env=None):
        done = run(step, *arguments, env={**self.loop.environment, **(env or {})})
        self.assertEqual(code, done.code, (step, arguments, done))
        self.assertEqual("", done.stdout)
        lines = done.stderr.splitlines()
        self.assertEqual(1, len(lines), done)
        self.assertTrue(lines[0].startswith(f"capsule-{step}: error: "), done)
        self.assertIsNone(re.search(r"(?:^|[ /])([^ /:]+): (?:[^ :]*/)?\1: ", lines[0]), lines[0])
        return lines[0]


class Files(Case):
    """What is named by an option, or by the environment."""

    def uses(self):
        """(step, option, arguments): each option that names a key or a policy, in each step."""
        layout = f"oci-layout:{self.loop.registry}"
        public = self.secrets / "capsule-key-capsule/key.pub.pem"
        proof = ("--proof-bundle", DIGEST)
        for option in ("--key", "--trust"):
            yield "verify", option, [self.package]
            yield "publish", option, [self.package, "--registry", layout]
            yield "deploy", option, [self.reference]
            yield "download", option, ["capsule://probe:1.0.0", "--registry", layout]
        yield "sign", "--key", [self.package]
        yield "generate-proof", "--key", [self.reference, "--run-record", DIGEST]
        yield "generate-proof", "--trust", [self.reference, "--run-record", DIGEST, "--key", self.loop.proof_key]
        yield "anchor", "--trust", [self.reference, *proof]
        yield "register", "--key", [self.reference]
        yield "register", "--trust", [self.reference]
        self.assertTrue(public.exists())

    def test_a_key_or_policy_that_is_not_there(self):
        for step, option, arguments in self.uses():
            with self.subTest(step=step, option=option):
                self.assertIn("none.pem", self.refused(12, step, option, self.folder / "none.pem", *arguments))

    def test_a_key_or_policy_that_is_a_folder(self):
        for step, option, arguments in self.uses():
            with self.subTest(step=step, option=option):
                self.assertIn("folder", self.refused(2, step, option, self.folder / "folder", *arguments))

    def test_a_key_or_policy_that_is_none(self):
        for step, option, arguments in self.uses():
            with self.subTest(step=step, option=option):
                self.assertIn("text", self.refused(2, step, option, self.folder / "text", *arguments))

    @unittest.skipUnless(os.geteuid() != 0, "root may read everything")
    def test_a_key_or_policy_without_the_right_to_read_it(self):
        (self.folder / "locked").write_text("x")
        (self.folder / "locked").chmod(0)
        for step, option, arguments in self.uses():
            with self.subTest(step=step, option=option):
                self.refused(13, step, option, self.folder / "locked", *arguments)

    def test_a_key_that_a_policy_names_and_that_is_not_there(self):
        policy = self.folder / "policy.yaml"
        policy.write_text("version: 1\ncapsule: [{keys: [{file: gone.pem}]}]\n")
        self.assertIn("gone.pem", self.refused(12, "verify", "--trust", policy, self.package))

    def test_no_policy_at_all_is_nobody_trusted(self):
        self.refused(2, "verify", self.package, env={"CAPSULE_STATE": str(self.folder / "empty"), "HOME": "/nonexistent"})

    def test_packages(self):
        for step, more in (("verify", []), ("publish", ["--registry", f"oci-layout:{self.loop.registry}"]), ("download", []),
                           ("sign", ["--key", self.loop.key])):
            with self.subTest(step=step):
                self.refused(12, step, self.folder / "none.tar.gz", *more)
                self.refused(10, step, self.folder / "text", *more)
                self.refused(10, step, self.folder / "folder", *more)
        self.refused(12, "pack", self.folder / "none", "--out", self.folder / "x.tar.gz")
        self.refused(12, "pack", self.folder / "folder", "--out", self.folder / "x.tar.gz")

    def test_workflows_and_their_parameters(self):
        for name, code in (("none", 12), ("text", 2), ("folder", 2)):
            with self.subTest(name):
                self.refused(code, "run", self.folder / name)
                self.refused(code, "run", BUILD, "--parameter-file", self.folder / name)
                self.refused(code, "run", BUILD, "--config", self.folder / name)
        for name, code in (("none", 12), ("folder", 2)):
            self.refused(code, "run", BUILD, "-p", f"source=@{self.folder / name}")
            self.refused(code, "deploy", self.reference, f"--parameters=@{self.folder / name}")
        self.refused(2, "deploy", self.reference, f"--parameters=@{self.folder / 'text'}")

    def test_files_with_a_secret(self):
        for name, code in (("none", 12), ("folder", 2)):
            self.refused(code, "proof-service", "--database", self.folder / "db", "--listen", "127.0.0.1:0", "--api-key-file",
                         self.folder / name)
            self.refused(code, "generate-proof", self.reference, "--run-record", DIGEST, "--key", self.loop.proof_key,
                         "--passphrase-file", self.folder / name)


class Typed(Case):
    def test_digests(self):
        for bad in ("x", "sha256:0", "md5:" + "0" * 32, "sha256:" + "G" * 64):
            with self.subTest(bad):
                self.refused(2, "anchor", self.reference, "--proof-bundle", bad)
                self.refused(2, "register", self.reference, "--proof-bundle", bad)
                self.refused(2, "register", self.reference, "--proof-bundle", DIGEST, "--receipts", bad)
                self.refused(2, "generate-proof", self.reference, "--run-record", bad, "--key", self.loop.proof_key)
                self.refused(2, "download", self.package, "--digest", bad)
        for step, more in (("verify", []), ("publish", ["--registry", f"oci-layout:{self.loop.registry}"])):
            self.refused(2, step, "sha256:0", *more)
            self.refused(12, step, DIGEST, *more)

    def test_references(self):
        for bad in ("oci-layout:x/probe@sha256:0", "oci-layout:x/Probe@" + DIGEST, "oci-layout:x/probe", "oci-layout:", "probe"):
            with self.subTest(bad):
                self.refused(2, "deploy", bad)
                self.refused(2, "anchor", bad, "--proof-bundle", DIGEST)
                self.refused(2, "register", bad)
                if "@" in bad or "/" not in bad:  # a tag is enough there
                    self.refused(2, "generate-proof", bad, "--run-record", DIGEST, "--key", self.loop.proof_key)
        self.refused(2, "register", "resolve", "capsule://probe@sha256:0", "--registry", f"oci-layout:{self.loop.registry}")
        self.refused(2, "download", "capsule://probe@sha256:0", "--registry", f"oci-layout:{self.loop.registry}")

    def test_other_values(self):
        for step, *arguments in (("deploy", self.reference, "--parameters", "{"), ("deploy", self.reference, "--timeout", "soon"),
                                 ("deploy", self.reference, "--seed", "-1"), ("deploy", self.reference, "--watts", "nan"),
                                 ("deploy", self.reference, "--target", "moon"), ("verify", self.package, "--target", "moon"),
                                 ("download", "https://example.com/p", "--timeout", "soon"), ("download", "gopher://x/y"),
                                 ("publish", self.package, "--registry", "x:y:z"), ("run", BUILD, "-p", "source"),
                                 ("pack", self.folder / "folder", "--compress", "harder"), ("sign", "keygen", "--type", "p521"),
                                 ("proof-service", "--database", self.folder / "db", "--listen", "here")):
            with self.subTest(step=step, arguments=arguments):
                self.refused(2, step, *arguments)

    def test_flags_win_over_an_environment_that_says_something_else(self):
        key = str(self.secrets / "capsule-key-index/key.pub.pem")
        for step, *arguments in (("verify", self.package), ("publish", self.package, "--registry", f"oci-layout:{self.loop.registry}")):
            with self.subTest(step):
                done = run(step, "--trust", self.loop.trust, *arguments, env={**self.loop.environment, "CAPSULE_KEY": key})
                self.assertEqual(0, done.code, done)
                good = self.secrets / "capsule-key-capsule/key.pub.pem"
                done = run(step, "--key", good, *arguments, env={**self.loop.environment, "CAPSULE_TRUST": str(self.folder / "none")})
                self.assertEqual(0, done.code, done)
                self.assertIn("choose one", self.refused(2, step, "--key", good, "--trust", self.loop.trust, *arguments))
                self.refused(2, step, *arguments, env={"CAPSULE_KEY": key, "CAPSULE_TRUST": str(self.loop.trust)})

    def test_a_key_pair_of_ones_own_and_a_state_folder_in_the_environment(self):
        done = run("sign", "keygen", "--out", self.folder / "own", "--type", "ed25519", env=self.loop.environment)
        self.assertEqual(0, done.code, done)
        done = run("sign", "keygen", "--state", self.loop.state, env={**self.loop.environment, "CAPSULE_OUT": str(self.folder / "other")})
        self.assertEqual(0, done.code, done)
        self.assertFalse((self.folder / "other.pem").exists())


class Lines(Case):
    """One line, whatever else goes wrong on the way."""

    def test_a_foreign_package_that_is_refused(self):
        folder = self.loop.capsule("foreign", tarball=b"this is no tar" * 100)
        self.refused(10, "publish", self.loop.foreign_package(folder), "--registry", f"oci-layout:{self.folder / 'other'}")

    def test_outputs_that_cannot_be_written(self):
        for below in ("text/below", "text"):
            self.assertIn("text", self.refused(2, "verify", self.package, "--outputs", self.folder / below))
            self.assertIn("required", self.refused(2, "pack", self.package, "--outputs", self.folder / below))

    def test_an_image_whose_parts_are_broken_is_named_once(self):
        for index in (b"{", b"{}", b'{"schemaVersion":2,"manifests":[{"digest":"x"}]}',
                      b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"x","size":1}]}'):
            with self.subTest(index):
                tarball = tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index})
                folder = self.loop.capsule(f"image-{len(index)}", tarball=tarball)
                package = self.folder / f"image-{len(index)}.tar.gz"
                self.assertEqual(0, run("pack", folder, "--out", package).code)
                self.refused(10, "sign", package, "--key", self.loop.key)

    def test_a_registry_whose_documents_are_broken(self):
        for index in ("{", "{}", '{"schemaVersion":2,"manifests":[{}]}', '{"schemaVersion":2,"manifests":[{"mediaType":7}]}'):
            with self.subTest(index):
                registry = self.folder / f"registry-{len(index)}"
                shutil.copytree(self.loop.registry, registry)
                (registry / "probe/index.json").write_text(index)
                line = self.refused(10, "verify", f"oci-layout:{registry}/probe:1.0.0")
                self.assertEqual(1, line.count("index.json"), line)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
