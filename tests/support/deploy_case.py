"""Capsules in the registry beside the cluster, deployed there."""
import json
import subprocess
import tempfile
from pathlib import Path

import shipped_objects
import side_load
from capsule_maker import Maker
from cluster_case import ClusterCase
from steps import BIN, environment
from warm_capsule import RUNNER

REGISTRY = "10.99.0.1:5000"
REACHED = ("--insecure-registry", REGISTRY)


class DeployCase(ClusterCase):
    on_node = True
    images = ("agent", "verify", "runtime-python")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shipped_objects.install_crds(cls)
        side_load.side_load(cls.cluster.node.binaries / "ctr", cls.cluster.node.socket, cls.images)
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.folder.chmod(0o755)
        cls.maker = Maker(cls.folder)
        cls.target = f"kubernetes:{cls.namespace}"

    @classmethod
    def publish(cls, name, version="1.0.0", before="", at_run="", scripts=None, runner=RUNNER, **manifest):
        """The reference of a capsule in the registry, in a repository of this class."""
        files = {"expansion/m/runner.py": runner.replace("# before", before).replace("# run", at_run).encode(), "expansion/m/model.pt": b"small"}
        files.update({f"scripts/{name}": f"#!/bin/sh\n{text}\n".encode() for name, text in (scripts or {}).items()})
        package = cls.maker.make(name, version, files=files, **{"prewarm": True, **manifest})
        done = cls.inside("publish", package, "--registry", f"oci://{REGISTRY}/{cls.namespace}", "--key", cls.maker.public_key, *REACHED,
                          "--state", cls.folder / "state")
        assert done.code == 0, done
        return done.result["reference"]

    @classmethod
    def arguments(cls, reference, *more):
        return ("--key", cls.maker.public_key, *REACHED, "--target", cls.target, "--state", cls.folder / "state",
                *(() if "--timeout" in more else ("--timeout", "60s")), *more, "--", reference)

    @classmethod
    def deploy(cls, reference, *more, **how):
        return cls.inside("deploy", *cls.arguments(reference, *more), **how)

    def start(self, reference, *more):
        """A deploy that goes on meanwhile, in a process group of its own."""
        words = [str(word) for word in (*self.cluster.network.enter, BIN / "capsule-deploy", *self.arguments(reference, *more))]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                                   env=self.cluster.environment(environment()))
        self.addCleanup(process.kill)
        return process

    def deployed(self, reference, *more):
        done = self.deploy(reference, *more)
        self.assertEqual(0, done.code, done)
        return done.result

    def refused(self, code, words, reference, *more):
        done = self.deploy(reference, *more)
        self.assertEqual(code, done.code, done)
        self.assertIn(words, done.stderr.splitlines()[-1])
        return done

    def delete(self, name):
        return self.inside("deploy", "delete", name, "--target", self.target, "--state", self.folder / "state", "--timeout", "60s")

    def object(self, name):
        return self.get("pd", name)

    def condition(self, name, kind):
        """"True: Reason", or nothing."""
        found = [one for one in self.object(name).get("status", {}).get("conditions", []) if one["type"] == kind]
        return f"{found[0]['status']}: {found[0]['reason']}" if found else None

    def pods(self, name):
        """Those that are not on their way out."""
        return [pod for pod in self.get("pods", "-l", f"app={name}")["items"] if "deletionTimestamp" not in pod["metadata"]]

    def record(self, reference, digest):
        """A run record, as the registry has it."""
        repository = reference.removeprefix(f"oci://{REGISTRY}/").partition("@")[0]
        done = self._run(("curl", "-sSf", f"http://{REGISTRY}/v2/{repository}/blobs/{digest}"), None, None, 60)
        self.assertEqual(0, done.code, done)
        return json.loads(done.stdout)
