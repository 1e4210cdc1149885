"""A published capsule whose runner can wait, and what is seen of its deployments."""
import json
import shutil
import tempfile
import unittest
from pathlib import Path

from loop import agents_of, processes_of
from proof_maker import ProofMaker
from steps import BIN, run

# Says how it was started and how often its process has run. `before` runs while it loads.
RUNNER = """#!/usr/bin/python3
import json, os, sys, time
runs = 0
# before
warm = os.environ.get("CAPSULE_WARM") == "1"
if warm:
    print('{"ready":true}', flush=True)
request = json.loads(sys.stdin.readline())
assert sys.stdin.read() == ""
# run
runs += 1
print(json.dumps({"warm": warm, "runs": runs, "seed": request["seed"], "parameters": request["parameters"],
                  "measured": {"pid": os.getpid()}}))
"""
NO_PROOF = {"required": False, "types": []}


class WarmCase(unittest.TestCase):
    """A state folder, a registry and keys of the test's own."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.folder.chmod(0o755)
        self.maker = ProofMaker(self.folder)
        self.state = self.maker.state
        self.pool = self.state / "deployments/probe/pool"
        self.addCleanup(self.delete)

    def publish(self, before="", at_run="", prewarm=True, **more):
        runner = RUNNER.replace("# before", before).replace("# run", at_run)
        self.reference = self.maker.publish(runner=runner, claims=None, prewarm=prewarm, proof_policy=NO_PROOF, **more)
        return self.reference

    def arguments(self, *more):
        return ["--trust", self.maker.trust, "--state", self.state, *more, "--", self.reference]

    def deploy(self, *more, bin_folder=BIN):
        return run("deploy", *self.arguments(*more)) if bin_folder == BIN else None

    def record(self, done):
        self.assertEqual(0, done.code, done)
        digest = done.result["run_record"].partition(":")[2]
        return json.loads((self.maker.registry / "probe/blobs/sha256" / digest).read_text())

    def delete(self, *more):
        return run("deploy", "delete", "probe", "--state", self.state, *more)

    def agents(self):
        return agents_of(self.folder)

    def processes(self):
        return processes_of(self.folder)


def copy_without_agent(folder):
    """The programs, less capsule-agent."""
    target = Path(folder) / "bin"
    target.mkdir()
    for program in ("capsule-deploy",):
        shutil.copy2(BIN / program, target / program)
    return target
