"""The whole loop on the sample capsule, through the shipped workflow files, in a state folder of the test's own."""
import json
import os
import shutil
import subprocess
from pathlib import Path

from oci_layout import INDEX
from steps import BIN, SOURCE, environment, run

CAPSULE = SOURCE / "tests/capsules/m2n2-metal"
LOOPS = SOURCE / "workflows/loops"
WAIVED = "gpu:true,utid:hardware-bound"
URI = "capsule://m2n2-metal:0.1.0?proof=true"


def sample_capsule(folder):
    """A copy of the sample capsule, with the files that scripts make."""
    target = Path(folder) / "m2n2-metal"
    shutil.copytree(CAPSULE, target, ignore=shutil.ignore_patterns("__pycache__"))
    tools = SOURCE / "tests/capsules/tools"
    for script, file in (("make_model.py", "expansion/m2n2/model.pt"), ("make_tarball.py", "capsule.tarball")):
        if not (target / file).exists():
            subprocess.run(["/usr/bin/python3", tools / script, "--out", target / file], check=True, capture_output=True)
    return target


class Loop:
    """One state folder with keys, registry and log."""

    def __init__(self, folder, package=None):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.registry = f"oci-layout:{self.folder / 'registry'}"
        self.log = self.folder / "log"
        self.package = package
        self.environment = environment(CAPSULE_STATE=str(self.state), HOME=str(self.folder))

    def keygen(self):
        return run("sign", "keygen", env=self.environment)

    def build(self, capsule):
        done = run("run", LOOPS / "capsule-build.yaml", "-p", f"source={capsule}", "-p", "publish=false",
                   "--outputs", self.folder / "out/build", env=self.environment)
        if done.code == 0:
            self.package = done.result["package"]
        return done

    def deploy_arguments(self, *more):
        return ["run", LOOPS / "capsule-deploy-loop.yaml", "-p", f"source={self.package}", "-p", f"registry={self.registry}",
                "-p", f"log={self.log}", "-p", f"allow-unmet={WAIVED}", *more]

    def deploy(self, *more):
        return run(*self.deploy_arguments(*more), env=self.environment, timeout=300)

    def resolve(self, uri=URI, *more):
        return run("register", "resolve", uri, "--registry", self.registry, *more, env=self.environment)

    def log_size(self):
        return int((self.log / "checkpoint").read_text().splitlines()[1])

    def referrers(self, media_type):
        """Digests of the artifacts of that type that are attached to a version, read without our own code. Some are attached to others besides."""
        layout = self.folder / "registry/m2n2-metal"
        found = []
        for entry in json.loads((layout / "index.json").read_text())["manifests"]:
            algorithm, _, digest = entry["digest"].partition(":")
            manifest = json.loads((layout / "blobs" / algorithm / digest).read_text())
            if manifest.get("subject", {}).get("mediaType") == INDEX and manifest.get("artifactType") == media_type:
                found.append(entry["digest"])
        return found

    def leftovers(self):
        """Temporary files and folders that somebody forgot."""
        return [path for root in (self.state, self.folder / "registry", self.log) if root.exists()
                for path in root.rglob("*") if path.name.startswith(".tmp-") or path.name.endswith(".tmp")]


def _processes():
    """{process id: (parent's, command line)} of all that live."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(process.name)] = (int((process / "stat").read_text().rpartition(")")[2].split()[1]), line)
            except OSError:
                continue
    return found


def processes_of(folder):
    """Command lines of living processes that name the folder."""
    return [line for _, line in _processes().values() if str(folder) in line]


def agents_of(folder):
    """Process ids of the agents of warm pools that name the folder: of each the first, not what it forked."""
    every = _processes()
    is_agent = {pid for pid, (_, line) in every.items() if "/capsule-agent " in line}
    return [pid for pid in is_agent if every[pid][0] not in is_agent and str(folder) in every[pid][1]]


def strays_of(folder):
    """The same as processes_of, but for warm pools: an agent and what it started go on until they are deleted."""
    every = _processes()

    def is_pooled(pid):
        while pid in every:
            if "/capsule-agent " in every[pid][1]:
                return True
            pid = every[pid][0]
        return False

    return [line for pid, (_, line) in every.items() if str(folder) in line and not is_pooled(pid)]
