"""The loop from a folder to a resolved, proven capsule; again; as an ordinary user; killed at any moment."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from kills import KILLS, chance, kill_after
from loop import CAPSULE, URI, WAIVED, Loop, agents_of, processes_of, sample_capsule
from steps import BIN, run

RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"


class LoopCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name)
        os.chmod(cls.folder, 0o755)
        cls.capsule = sample_capsule(cls.folder)
        cls.loop = Loop(cls.folder / "first")
        cls.loop.folder.mkdir()
        for done in (cls.loop.keygen(), cls.loop.build(cls.capsule)):
            assert done.code == 0, done
        started = time.monotonic()
        cls.first = cls.loop.deploy()
        cls.first_seconds = time.monotonic() - started
        assert cls.first.code == 0, cls.first


class TheLoop(LoopCase):
    def test_it_ends_with_every_step_and_output(self):
        result = self.first.result
        self.assertEqual("Succeeded", result["phase"])
        self.assertEqual(URI, result["uri"])
        self.assertRegex(result["proof_id"], "^proof_[0-9a-f]{8}$")
        for step in ("download", "verify", "publish", "deploy", "generate-proof", "anchor", "register"):
            self.assertIn(f"{step}: Succeeded", self.first.stderr)

    def test_the_uri_resolves_with_every_check_named(self):
        done = self.loop.resolve(URI, "--output", "text")
        self.assertEqual(0, done.code, done)
        for word in ("package", "near-optimal", "like-the-reference", "anchored in log:local"):
            self.assertIn(word, done.stdout)
        resolved = self.loop.resolve().result
        self.assertEqual(self.first.result["reference"], resolved["reference"])
        self.assertEqual(self.first.result["proof_bundle"], resolved["proof_digest"])

    def test_the_run_record_says_what_was_waived_and_what_held(self):
        layout = self.loop.folder / "registry/m2n2-metal/blobs/sha256"
        record = json.loads((layout / self.first.result["run_record"].split(":")[1]).read_text())
        self.assertEqual(WAIVED.split(","), record["waived"])
        self.assertIs(record["node"]["attested"], False)
        self.assertEqual({"unit": "run", "quantity": 1, "price": "5.00", "amount": "5.00"}, record["billing"])
        self.assertIn("no-new-privileges", record["confinement"]["held"])
        self.assertEqual("warm", record["start"]["mode"])
        if os.geteuid() == 0:
            self.assertIn("network-namespace", record["confinement"]["held"])
            self.assertIn("user", record["confinement"]["held"])
        self.assertLess(record["seed"], 2**53)

    def test_the_deployment_is_proved(self):
        deployment = json.loads((self.loop.state / "deployments/m2n2-metal/proofeddeployment.json").read_text())
        status = deployment["status"]
        self.assertEqual("Proved", status["phase"])
        self.assertEqual(self.first.result["proof_id"], status["proofId"])
        self.assertEqual(self.first.result["proof_bundle"], status["proofDigest"])
        self.assertEqual([("log:local", self.first.result["receipts"])], [(one["chain"], one["receipt"]) for one in status["anchors"]])
        self.assertEqual(self.first.result["run_record"], status["lastRun"]["record"])
        self.assertEqual(deployment["metadata"]["generation"], status["observedGeneration"])
        self.assertEqual({"Ran", "Proved", "Ready"} <= {one["type"] for one in status["conditions"] if one["status"] == "True"}, True)

    def test_again_finds_everything_done_in_a_fraction_of_the_time(self):
        before = sorted((path, path.stat().st_mtime_ns) for path in (self.loop.folder / "registry").rglob("*") if path.is_file()
                        and "lock" not in path.name)
        started = time.monotonic()
        again = self.loop.deploy()
        seconds = time.monotonic() - started
        self.assertEqual(0, again.code, again)
        self.assertEqual(self.first.result, again.result)
        after = sorted((path, path.stat().st_mtime_ns) for path in (self.loop.folder / "registry").rglob("*") if path.is_file()
                       and "lock" not in path.name)
        self.assertEqual(before, after)
        self.assertLess(seconds, self.first_seconds)
        self.assertEqual(1, self.loop.log_size())

    def test_build_again_gives_the_same_package(self):
        before = Path(self.loop.package).stat().st_mtime_ns
        self.assertEqual(0, self.loop.build(self.capsule).code)
        self.assertEqual(before, Path(self.loop.package).stat().st_mtime_ns)

    def test_the_index_is_source_of_the_next_loop(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("download", URI.partition("?")[0], "--registry", self.loop.registry, "--store", folder, env=self.loop.environment)
            self.assertEqual(0, done.code, done)
            self.assertEqual(self.first.result["package_digest"], done.result["package_digest"])

    def test_list_names_it(self):
        done = run("register", "list", "--registry", self.loop.registry, env=self.loop.environment)
        self.assertEqual([("m2n2-metal", "0.1.0", True)],
                         [(entry["name"], entry["version"], entry["proved"]) for entry in done.result["capsules"]])

    def test_nothing_is_left_over(self):
        self.assertEqual(1, len(agents_of(self.loop.folder)), "the warm pool outlives the step that filled it")
        self.assertEqual(0, run("deploy", "delete", "m2n2-metal", env=self.loop.environment).code)
        self.assertEqual([], self.loop.leftovers())
        self.assertEqual([], processes_of(self.loop.folder))

    def test_no_secret_in_any_record(self):
        key = (self.loop.state / "secrets/capsule-key-proof/key.pem").read_text().splitlines()[1]
        for path in self.loop.state.rglob("*"):
            if path.is_file() and "secrets" not in path.parts:
                self.assertNotIn(key.encode(), path.read_bytes(), path)
        self.assertNotIn(key, self.first.stdout + self.first.stderr)


class Refused(LoopCase):
    """What must not resolve, or not run; each is one line and the exit code of the table."""

    def refused(self, done, code, *words):
        self.assertEqual(code, done.code, done)
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(1, len(errors), done)
        for word in words:
            self.assertIn(word, errors[0])

    def test_a_machine_that_lacks_something_is_told_all_of_it(self):
        done = run("deploy", self.first.result["reference"], env=self.loop.environment)
        if done.code == 0:
            self.skipTest("this machine has a GPU and a host certificate")
        self.refused(done, 15, "utid:hardware-bound")

    def test_another_key_is_not_trusted(self):
        stranger = Loop(self.folder / "stranger")
        stranger.folder.mkdir(exist_ok=True)
        stranger.keygen()
        done = run("register", "resolve", URI, "--registry", self.loop.registry, env=stranger.environment)
        self.refused(done, 11)

    def test_what_is_not_registered_is_not_found(self):
        self.refused(self.loop.resolve("capsule://m2n2-metal:9.9.9?proof=true"), 12, "9.9.9")
        self.refused(self.loop.resolve("capsule://nothing:0.1.0"), 12)

    def test_a_uri_in_another_spelling_is_refused(self):
        for uri in ("capsule://M2N2-metal:0.1.0", "capsule://m2n2%2dmetal:0.1.0", "capsule://m2n2-metal:0.1.0?proof=true&proof=false",
                    "capsule://user@m2n2-metal:0.1.0", "capsule://m2n2-metal:0.1.0?Proof=true"):
            with self.subTest(uri):
                self.refused(self.loop.resolve(uri), 2)

    def test_register_wants_the_proof_that_the_manifest_requires(self):
        done = run("register", self.first.result["reference"], env=self.loop.environment)
        self.refused(done, 11, "requires a proof")

    def test_a_receipt_of_another_bundle_is_refused(self):
        other = Loop(self.folder / "other", self.loop.package)
        other.folder.mkdir(exist_ok=True)
        run("deploy", "delete", "m2n2-metal", env=self.loop.environment)  # a socket cannot be copied
        shutil.copytree(self.loop.state, other.state, dirs_exist_ok=True)
        shutil.copytree(self.loop.folder / "registry", other.folder / "registry", dirs_exist_ok=True)
        second = run("deploy", self.first.result["reference"].replace(str(self.loop.folder), str(other.folder)), "--new-run",
                     "--allow-unmet", WAIVED, env=other.environment)
        self.assertEqual(0, second.code, second)
        reference = self.first.result["reference"].replace(str(self.loop.folder), str(other.folder))
        proof = run("generate-proof", reference, "--run-record", second.result["run_record"], "--key",
                    other.state / "secrets/capsule-key-proof/key.pem", env=other.environment, timeout=300)
        self.assertEqual(0, proof.code, proof)
        self.assertNotEqual(self.first.result["proof_bundle"], proof.result["proof_bundle"])
        done = run("register", reference, "--proof-bundle", proof.result["proof_bundle"], "--receipts", self.first.result["receipts"],
                   env=other.environment)
        self.refused(done, 11, "receipt")


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
class AsAnOrdinaryUser(unittest.TestCase):
    def test_the_loop_runs_without_root(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            capsule = sample_capsule(folder)
            programs = folder / "bin"
            programs.mkdir()
            for program in BIN.glob("capsule-*"):
                shutil.copy2(program, programs / program.name)
            loop = Loop(folder / "home")
            loop.folder.mkdir()
            shutil.copytree(Path(CAPSULE).parents[2] / "workflows", folder / "workflows")
            subprocess.run(["chown", "-R", "65534:65534", folder], check=True)

            def as_user(*words):
                done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *map(str, words)],
                                      env=loop.environment, capture_output=True, text=True, timeout=300)
                self.assertEqual(0, done.returncode, done.stderr)
                return done.stdout

            as_user(programs / "capsule-sign", "keygen")
            built = json.loads(as_user(programs / "capsule-run", folder / "workflows/loops/capsule-build.yaml", "-p", f"source={capsule}",
                                       "-p", "publish=false"))
            result = json.loads(as_user(programs / "capsule-run", folder / "workflows/loops/capsule-deploy-loop.yaml", "-p",
                                        f"source={built['package']}", "-p", f"registry={loop.registry}", "-p", f"log={loop.log}",
                                        "-p", f"allow-unmet={WAIVED}"))
            self.assertEqual(URI, result["uri"])
            layout = loop.folder / "registry/m2n2-metal/blobs/sha256"
            record = json.loads((layout / result["run_record"].split(":")[1]).read_text())
            self.assertIn("seccomp", record["confinement"]["held"])
            self.assertIn("no-new-privileges", record["confinement"]["held"])
            self.assertEqual("warm", record["start"]["mode"])
            as_user(programs / "capsule-deploy", "delete", "m2n2-metal")
            self.assertEqual([], processes_of(folder))


class Killed(LoopCase):
    """kill -9 at 20 random moments, then again: it ends the same, and nothing is doubled."""

    def test_it_ends_the_same(self):
        draw = chance("capsule-run", 20)
        for attempt in range(KILLS):
            with self.subTest(attempt=attempt), tempfile.TemporaryDirectory(dir=self.folder) as name:
                os.chmod(name, 0o755)
                loop = Loop(name)
                shutil.copytree(self.loop.state / "secrets", loop.state / "secrets")
                shutil.copytree(self.loop.state / "configmaps", loop.state / "configmaps")
                loop.package = self.loop.package
                moment = draw.uniform(0, self.first_seconds)
                process = subprocess.Popen([BIN / "capsule-run", *map(str, loop.deploy_arguments()[1:])], env=loop.environment,
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
                self.assertEqual([], kill_after(process, moment, name), "the steps die with their runner")
                again = loop.deploy(*draw.choice([(), ("--resume",)]))
                self.assertEqual(0, again.code, f"killed after {moment:.2f} s: {again}")
                self.assertEqual("1", again.result["index_sequence"])
                self.assertEqual(self.first.result["capsule_digest"], again.result["capsule_digest"])
                self.assertEqual(1, len(loop.referrers(RUN_RECORD)), "one run, however often it was tried")
                self.assertEqual(1, len(loop.referrers(RECEIPT)))
                self.assertEqual(1, loop.log_size())
                self.assertEqual(0, loop.resolve().code)
                self.assertEqual([], loop.leftovers())
                self.assertEqual(0, run("deploy", "delete", "m2n2-metal", env=loop.environment).code)
                self.assertEqual([], processes_of(name))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
