"""capsule-agent in pods of the restricted standard: what a run has and has not there, and how it ends when the pod cannot have what it wants."""
import json
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from cluster_case import ClusterCase
from cluster_pods import CONTAINER_SECURITY, TAKES_MEMORY, pod
from node import REGISTRY
from side_load import named

RUN = "v1/runs/0123456789abcdef"
RUNNER = """#!/usr/bin/env python3
import json, os, socket, sys, time
print('{"ready":true}', flush=True)
json.loads(sys.stdin.readline())
found = {}
def attempt(name, work):
    try:
        work()
        found[name] = "done"
    except OSError as error:
        found[name] = error.strerror
# run
attempt("socket", socket.socket)
attempt("agent", lambda: open("/proc/1/mem", "rb"))
attempt("root", lambda: open("/here", "w"))
attempt("capsule", lambda: open("here", "w"))
attempt("data", lambda: open(os.environ["CAPSULE_DATA"] + "/here", "w"))
print(json.dumps(found))
"""
MANIFEST = {"name": "demo", "version": "0.1.0", "entrypoint": "expansion/m/runner.py", "prewarm": True}


class Agent(ClusterCase):
    on_node = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.load_images()

    def start(self, name, capsule, *more, root="/capsule", init=(), volumes=(), data="64Mi"):
        """A pod with the agent, and `capsule`, a volume's source, at /capsule."""
        mounts = [{"name": "agent", "mountPath": "/agent", "readOnly": True}, {"name": "data", "mountPath": "/data"},
                  {"name": "tmp", "mountPath": "/tmp"}, {"name": "capsule", "mountPath": "/capsule", "readOnly": True}]
        volumes = [*volumes, {"name": "capsule", **capsule}, {"name": "agent", "emptyDir": {"sizeLimit": "32Mi"}}, {"name": "data", "emptyDir": {"sizeLimit": data}},
                   {"name": "tmp", "emptyDir": {"sizeLimit": "32Mi"}}]
        installing = {"name": "agent", "image": named("agent"), "args": ["install", "/agent"], "securityContext": CONTAINER_SECURITY,
                      "volumeMounts": [{"name": "agent", "mountPath": "/agent"}]}
        made = pod(name, named("runtime-python"), "/agent/capsule-agent", f"--root={root}", "--data=/data/capsule", "--listen=0.0.0.0:8700", "--runs=1", *more,
                   volumes=volumes, mounts=mounts, initContainers=[installing, *init], restartPolicy="Always", terminationGracePeriodSeconds=10)
        made["spec"]["containers"][0].update({
            "terminationMessagePolicy": "FallbackToLogsOnError", "resources": {"limits": {"memory": "256Mi", "cpu": "1"}, "requests": {"cpu": "50m"}},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8700}, "periodSeconds": 1}})
        self.create(made)
        self.addCleanup(self.kubectl, "delete", "pod", name, "--wait=false")

    def from_files(self, name, runner=RUNNER, **scripts):
        """The source of a volume with a capsule that was never packed."""
        files = {"capsule.json": json.dumps(MANIFEST), "checksum.sha256": "", "expansion/m/runner.py": runner,
                 **{f"scripts/{script}.sh": text for script, text in scripts.items()}}
        keys = {path: path.replace("/", ".") for path in files}
        self.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {keys[path]: text for path, text in files.items()}})
        return {"configMap": {"name": name, "items": [{"key": keys[path], "path": path} for path in files]}}

    def status(self, name):
        return next(iter(self.get("pod", name)["status"].get("containerStatuses", [])), {})

    def when_ready(self, name):
        self.wait_for(f"pod {name} is ready", lambda: self.status(name).get("ready"), 90)

    def ask(self, name, path):
        return json.loads(self.must("get", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{name}:8700/proxy/{path}"))

    def claim(self, name, **more):
        body = json.dumps({"parameters": {}, "seed": 1, "budget": 0, "time_limit_ms": 20_000, **more})
        return json.loads(self.must("create", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{name}:8700/proxy/{RUN}", "-f", "-", input=body))

    def outcome(self, name, **more):
        self.claim(name, **more)
        return self.ask(name, f"{RUN}?wait_ms=20000")["outcome"]

    def is_as_it_should(self, name):
        self.when_ready(name)
        outcome = self.outcome(name)
        result = outcome["result"]
        self.assertEqual("done", result["data"])
        for what in ("socket", "agent", "root", "capsule"):
            self.assertNotEqual("done", result[what], what)
        held, missing = outcome["confinement"]["held"], {text.split(":")[0] for text in outcome["confinement"]["missing"]}
        self.assertLessEqual({"seccomp", "no-new-privileges", "limits"}, set(held))
        self.assertTrue("network-namespace" in held or "network-namespace" in missing)
        self.assertEqual("warm", outcome["start"]["mode"])
        self.wait_for("it is not ready any more", lambda: not self.status(name)["ready"], 30)
        self.assertEqual((0, "used"), (self.status(name)["restartCount"], self.ask(name, "v1/pool")["phase"]))

    def test_a_capsule_by_init_container_or_as_image_volume(self):
        with tempfile.TemporaryDirectory() as folder:
            maker = Maker(folder)
            package = maker.make("demo", files={"expansion/m/runner.py": RUNNER.encode()}, prewarm=True)
            done = self.inside("publish", package, "--registry", f"oci://{REGISTRY}/{self.namespace}", "--insecure-registry", REGISTRY,
                               "--key", maker.public_key, "--state", f"{folder}/state")
            self.assertEqual(0, done.code, done)
            reference, key = done.result["reference"], Path(maker.public_key).read_text()
        self.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trust"}, "data": {"key.pub.pem": key}})
        unpacking = {"name": "capsule", "image": named("verify"), "securityContext": CONTAINER_SECURITY,
                     "args": ["--unpack=/capsule", "--key=/trust/key.pub.pem", f"--insecure-registry={REGISTRY}", "--", reference],
                     "env": [{"name": "CAPSULE_STATE", "value": "/tmp/state"}, {"name": "TMPDIR", "value": "/tmp"}],
                     "volumeMounts": [{"name": "capsule", "mountPath": "/capsule"}, {"name": "tmp", "mountPath": "/tmp"}, {"name": "trust", "mountPath": "/trust"}]}
        digest = done.result["capsule_digest"].removeprefix("sha256:")
        self.start("unpacked", {"emptyDir": {"sizeLimit": "256Mi"}}, root=f"/capsule/{digest}", init=[unpacking],
                   volumes=[{"name": "trust", "configMap": {"name": "trust"}}])
        self.is_as_it_should("unpacked")
        self.start("mounted", {"image": {"reference": f"{REGISTRY}/{self.namespace}/demo@{done.result['package_manifest_digest']}", "pullPolicy": "IfNotPresent"}})
        self.is_as_it_should("mounted")

    def test_a_run_that_takes_too_much_memory(self):
        self.start("memory", self.from_files("memory", RUNNER.replace("# run", TAKES_MEMORY)))
        self.when_ready("memory")
        self.assertIn("over its memory limit", self.outcome("memory")["failure"]["message"])
        self.assertEqual(0, self.status("memory")["restartCount"], "the agent lives")

    def test_a_container_that_is_started_again_runs_nothing_again(self):
        self.start("again", self.from_files("again", RUNNER.replace("# run", "time.sleep(100)")))
        self.when_ready("again")
        self.claim("again", time_limit_ms=200_000)
        container = self.status("again")["containerID"].removeprefix("containerd://")
        self.cluster.node.ctr("tasks", "kill", "--signal", "SIGKILL", container)
        self.wait_for("it is started again", lambda: self.status("again").get("restartCount") and "running" in self.status("again")["state"], 90)
        found = self.wait_for("its answer", lambda: json.loads(self.kubectl("get", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/again:8700/proxy/{RUN}").stdout or "{}"), 30)
        self.assertIn("started anew", found["outcome"]["failure"]["message"])
        self.assertFalse(self.status("again")["ready"])

    def test_an_installation_that_fails_says_why_in_the_pod(self):
        self.start("fails", self.from_files("fails", install="#!/bin/sh\necho 'no room for the weights' >&2\nexit 3\n"))
        ended = self.wait_for("its end", lambda: self.status("fails").get("lastState", {}).get("terminated") or self.status("fails").get("state", {}).get("terminated"), 60)
        self.assertEqual(16, ended["exitCode"])
        self.assertIn("no room for the weights", ended["message"])

    def test_an_installation_that_fills_its_volume_says_why_and_is_not_evicted(self):
        """Each time it is tried: the kubelet looks about once a minute, and finds nothing."""
        self.start("fills", self.from_files("fills", install="#!/bin/sh\nhead -c 40000000 /dev/zero >\"$CAPSULE_DATA/full\"\nsleep 300\n"), "--data-size=16Mi", data="16Mi")
        self.wait_for("the fourth try", lambda: self.status("fills").get("restartCount", 0) >= 3, 150)
        ended = self.wait_for("its end", lambda: self.status("fills")["lastState"].get("terminated"), 60)
        self.assertEqual(16, ended["exitCode"])
        self.assertRegex(ended["message"], r"wrote more than its volume holds \([0-9.]+ MiB of 16.0 MiB, ")
        self.assertNotEqual("Failed", self.get("pod", "fills")["status"]["phase"])


if __name__ == "__main__":
    unittest.main()
