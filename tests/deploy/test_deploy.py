"""What deploy promises: how a capsule's own code is called, one run however often it is tried, a record that says what held."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from small_loop import SmallLoop
from steps import BIN, start

RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
NOTES = """#!/bin/sh
echo "{name} in $(pwd) root $CAPSULE_ROOT" >> "$CAPSULE_DATA/notes"
"""
# Says what it was given, and claims an energy of its own.
RUNNER = """#!/usr/bin/env python3
import json, os, sys, time
text = sys.stdin.read()
with open(os.environ["CAPSULE_DATA"] + "/notes", "a") as notes:
    notes.write("run\\n")
time.sleep(float(json.loads(text)["parameters"].get("seconds", 0)))
print(json.dumps({"lines": text.count("\\n"), "given": json.loads(text), "folder": os.getcwd(), "energy_joules": 1e9,
                  "measured": {"now": time.time()}}))
"""


class Deploy(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.folder.chmod(0o755)
        self.loop = SmallLoop(self.folder)

    def publish(self, name="plain", install=NOTES.format(name="install"), health=NOTES.format(name="health"), **more):
        self.reference = self.loop.publish(
            None, claims=None, name=name, runner=RUNNER, proof_policy={"required": False, "types": []},
            extra={"scripts/install.sh": install.encode(), "scripts/healthcheck.sh": health.encode()}, **more)
        return self.reference

    def deploy(self, *more, code=0):
        done = self.loop.deploy(*more, reference=self.reference)
        self.assertEqual(code, done.code, done)
        return done.result if code == 0 else done.stderr

    def record(self, result):
        digest = result["run_record"].split(":")[1]
        data = (self.loop.registry / self.loop.name / "blobs/sha256" / digest).read_bytes()
        self.assertEqual(digest, hashlib.sha256(data).hexdigest())
        return json.loads(data)

    def records(self):
        """Manifests in the registry that attach a run record."""
        from oci_layout import Layout
        layout = Layout(self.loop.registry / self.loop.name)
        return [document for document in map(layout.document, layout.index["manifests"]) if document.get("artifactType") == RUN_RECORD]

    def notes(self):
        [notes] = (self.loop.state / "data").glob("*/notes")
        return [line.split()[0] for line in notes.read_text().splitlines()]

    def test_the_runner_gets_one_json_line_and_stands_at_the_root(self):
        self.publish()
        result = self.record(self.deploy("--parameters", '{"a":[1,"b"]}', "--seed", "7", "--budget", "9"))["result"]
        self.assertEqual({"parameters": {"a": [1, "b"]}, "seed": 7, "budget": 9}, result["given"])
        self.assertEqual(1, result["lines"])
        self.assertTrue((Path(result["folder"]) / "capsule.json").is_file())

    def test_installed_once_and_asked_for_its_health_before_each_run(self):
        self.publish()
        self.deploy()
        self.deploy()
        self.assertEqual(["install", "health", "run"], self.notes())
        self.deploy("--new-run")
        self.assertEqual(["install", "health", "run", "health", "run"], self.notes())

    def test_the_same_call_again_is_the_same_run_billed_once(self):
        self.publish()
        first = self.deploy()
        again = self.deploy()
        self.assertEqual(("Succeeded", "AlreadyDone"), (first["phase"], again["phase"]))
        self.assertEqual((first["run_id"], first["run_record"]), (again["run_id"], again["run_record"]))
        other = self.deploy("--new-run")
        self.assertNotEqual(first["run_id"], other["run_id"])
        self.assertEqual((1, 2), tuple(self.record(result)["ordinal"] for result in (first, other)))
        self.assertEqual(2, len(self.records()))

    def test_a_new_run_with_a_seed_that_was_drawn_before_is_a_run_of_its_own(self):
        self.publish()
        first = self.deploy()
        seed = str(self.record(first)["seed"])
        self.assertEqual(first["run_id"], self.deploy("--seed", seed)["run_id"])
        others = [self.deploy("--seed", seed, "--new-run") for _ in range(2)]
        self.assertEqual(["Succeeded"] * 2, [other["phase"] for other in others])
        self.assertEqual(3, len({result["run_id"] for result in (first, *others)}))

    def test_two_at_once_run_once(self):
        self.publish()
        arguments = ("--parameters", '{"seconds":1}', "--", self.reference)
        both = [start("deploy", *arguments, env=self.loop.environment) for _ in range(2)]
        results = [json.loads(process.communicate(timeout=60)[0]) for process in both]
        self.assertEqual(["AlreadyDone", "Succeeded"], sorted(result["phase"] for result in results))
        self.assertEqual(1, len({result["run_record"] for result in results}))
        self.assertEqual(1, self.notes().count("run"))

    def test_a_registry_that_may_only_be_read_is_refused_before_the_run(self):
        self.publish()
        registry = self.loop.registry / self.loop.name
        command = [BIN / "capsule-deploy", "--", self.reference]
        if os.geteuid() == 0:  # whom no mode keeps from writing
            read_only = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"', registry]
            if subprocess.run([*read_only, "true"], capture_output=True).returncode != 0:
                self.skipTest("nothing can be mounted")
            command = read_only + command
        else:
            registry.chmod(0o555)
            self.addCleanup(registry.chmod, 0o755)
        call = lambda: subprocess.run([*map(str, command)], env=self.loop.environment, capture_output=True, text=True, timeout=60)
        done = call()
        self.assertEqual(13, done.returncode, done.stderr)
        self.assertIn(str(registry), done.stderr.splitlines()[-1])
        self.assertFalse((self.loop.state / "data").exists(), "nothing of the capsule ran")
        if os.geteuid() != 0:
            registry.chmod(0o755)
        self.deploy()
        self.assertEqual(["install", "health", "run"], self.notes())
        self.assertEqual(0, call().returncode, "what is on record needs no right to write")

    def test_the_record_is_canonical_and_refers_to_the_version(self):
        self.publish()
        result = self.deploy("--seed", "7")
        record = self.record(result)
        for member in ("capsule", "run_id", "target", "node", "waived", "parameters", "seed", "budget", "started_at", "finished_at",
                       "duration_ms", "exit_code", "result", "usage", "confinement", "log_digest", "input_digest", "output_digest"):
            self.assertIn(member, record)
        [document] = self.records()
        self.assertEqual(self.reference.split("@")[1], document["subject"]["digest"])
        self.assertEqual(result["run_record"], document["layers"][0]["digest"])
        canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = lambda value: "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()
        self.assertEqual(digest({"parameters": {}, "seed": 7, "budget": 0}), record["input_digest"])

    def test_energy_is_measured_here_and_not_the_runners_word(self):
        self.publish()
        usage = self.record(self.deploy())["usage"]
        self.assertLess(usage["energy_joules"], 1e6)
        self.assertIn(usage["energy_estimated"], (True, False))

    def test_what_the_capsules_own_code_does_wrong_is_said_in_its_words(self):
        for name, more, word in (("bad-install", {"install": "#!/bin/sh\necho no disk >&2\nexit 3\n"}, "no disk"),
                                 ("bad-health", {"health": "#!/bin/sh\necho not well >&2\nexit 1\n"}, "not well"),
                                 ("no-program", {"install": "#!/nowhere/sh\n"}, "install.sh")):
            with self.subTest(name):
                self.publish(name, **more)
                error = self.deploy(code=16)
                self.assertIn(word, error.splitlines()[-1])
                self.assertEqual([], self.records())

    def test_what_a_capsule_puts_in_place_of_its_tmp_is_not_followed_and_blocks_nothing(self):
        victim = self.folder / "victim"
        victim.mkdir(mode=0o755)
        (victim / "file").write_text("mine")
        before = [(path.stat().st_uid, path.stat().st_mode) for path in (victim, victim / "file")]
        for name, trick in (("link-to-folder", f'ln -s {victim} "$CAPSULE_DATA/tmp"'), ("link-to-file", f'ln -s {victim}/file "$CAPSULE_DATA/tmp"'),
                            ("link-to-nothing", f'ln -s {self.folder}/made "$CAPSULE_DATA/tmp"'), ("file", 'echo > "$CAPSULE_DATA/tmp"'),
                            ("locked", 'mkdir -m 0 "$CAPSULE_DATA/tmp"'), ("nothing", "true")):
            with self.subTest(name):
                shutil.rmtree(self.loop.state / "data", ignore_errors=True)
                self.publish(name, install=f'#!/bin/sh\nset -e\nrm -rf "$CAPSULE_DATA/tmp"\n{trick}\n', health='#!/bin/sh\necho > "$TMPDIR/written"\n')
                self.deploy()
                self.assertEqual(before, [(path.stat().st_uid, path.stat().st_mode) for path in (victim, victim / "file")])
                self.assertEqual(["file"], [path.name for path in victim.iterdir()])
                self.assertFalse((self.folder / "made").exists())
                [temporary] = (self.loop.state / "data").glob("*/tmp")
                self.assertTrue(temporary.is_dir() and not temporary.is_symlink())
                self.assertEqual(0o700, temporary.stat().st_mode & 0o777)

    def test_a_time_limit_is_ours(self):
        self.publish()
        self.assertIn("run", self.deploy("--parameters", '{"seconds":60}', "--timeout", "1s", code=41))
        self.assertEqual([], self.records())

    def test_nothing_of_an_untrusted_capsule_runs(self):
        self.publish()
        stranger, public = self.loop.make_key("stranger")
        self.assertTrue(stranger.exists())
        self.deploy("--key", public, code=11)
        self.assertFalse((self.loop.state / "data").exists())

    def test_a_capsule_under_another_name_is_refused(self):
        self.publish()
        shutil.copytree(self.loop.registry / "plain", self.loop.registry / "other")
        self.reference = self.reference.replace("/plain@", "/other@")
        self.deploy(code=11)
        self.assertFalse((self.loop.state / "data").exists())

    def test_a_tag_is_no_reference_to_run(self):
        self.publish()
        self.reference = f"oci-layout:{self.loop.registry}/plain:1.0.0"
        self.assertIn("@sha256:", self.deploy(code=2))

    def test_parameters_that_the_manifest_does_not_declare_or_allow(self):
        self.publish("declared", parameters={"rate": {"type": "number", "default": 0.5, "min": 0, "max": 1}})
        self.deploy("--parameters", '{"rate":2}', code=2)
        self.deploy("--parameters", '{"other":1}', code=2)
        self.assertEqual({"rate": 1}, self.record(self.deploy("--parameters", '{"rate":1}'))["parameters"])

    def test_the_object_says_what_was_deployed_and_which_run_it_had(self):
        self.publish("object")
        result = self.deploy()
        document = json.loads((self.loop.state / "deployments/object/proofeddeployment.json").read_text())
        self.assertEqual(("infra.industriverse.ai/v1", "ProofedDeployment"), (document["apiVersion"], document["kind"]))
        self.assertEqual(self.loop.digest, document["spec"]["capsule"]["digest"])
        self.assertEqual(result["run_id"], document["status"]["lastRun"]["runId"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
