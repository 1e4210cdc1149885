"""Capsules in the registry beside the cluster, deployed there."""
import json
import tempfile
import unittest
from pathlib import Path

import shipped_objects
import side_load
from capsule_maker import Maker
from cluster_case import THEIR_REGISTRY, ClusterCase
from steps import BIN
from warm_capsule import RUNNER

REGISTRY = THEIR_REGISTRY or "10.99.0.1:5000"
HOST = REGISTRY.partition("/")[0]
REACHED = ("--insecure-registry", HOST)


class DeployCase(ClusterCase):
    # What the pods are made of; nothing: the images that the programs name.
    named = {f"CAPSULE_{name}_IMAGE": side_load.named(image) for name, image in
             (("AGENT", "agent"), ("VERIFY", "verify"), ("RUNTIME", "runtime-python"), ("RELAY", "generate-proof")) if side_load.IMAGES}

    @classmethod
    def setUpClass(cls):
        if cls.is_theirs and not THEIR_REGISTRY:
            raise unittest.SkipTest("somebody's cluster, and REGISTRY=HOST/BASE names no registry that it and this machine reach")
        super().setUpClass()
        shipped_objects.install_crds(cls, shipped_objects.OUR_CRD)
        cls.load_images()
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
    def inside(cls, step, *words, env=None, **how):
        return super().inside(step, *words, env={**cls.named, **(env or {})}, **how)

    @classmethod
    def arguments(cls, reference, *more, target=None):
        return ("--key", cls.maker.public_key, *REACHED, "--target", target or cls.target, "--state", cls.folder / "state",
                *(() if "--timeout" in more else ("--timeout", "60s")), *more, "--", reference)

    @classmethod
    def deploy(cls, reference, *more, **how):
        return cls.inside("deploy", *cls.arguments(reference, *more), **how)

    def start(self, reference, *more, **how):
        """A deploy that goes on meanwhile, in a process group of its own."""
        process = self.started((BIN / "capsule-deploy", *self.arguments(reference, *more, **how)), env=self.named)
        self.addCleanup(process.kill)
        return process

    def deployed(self, reference, *more):
        done = self.deploy(reference, *more)
        self.assertEqual(0, done.code, done)
        return done.result

    def assert_few_calls(self, name, deploy):
        """Of what that deploy, which has nothing to do, printed. Before, its pods must be at rest: it waits for those that are not."""
        self.must("rollout", "status", f"deployment/{name}-deploy", "--timeout=60s")
        self.assertLessEqual(deploy()["api_calls"], 12)

    def plan(self, reference, *more):
        """What --plan says is to be done, and why."""
        found = self.deployed(reference, "--plan", *more)
        self.assertLessEqual(found["api_calls"], 12)
        return found["action"], found["reason"]

    def refused(self, code, words, reference, *more):
        done = self.deploy(reference, *more)
        self.assertEqual(code, done.code, done)
        self.assertIn(words, done.stderr.splitlines()[-1])
        return done

    def delete_words(self, name):
        return ("delete", name, "--target", self.target, "--state", self.folder / "state", "--timeout", "60s")

    def delete(self, name):
        return self.inside("deploy", *self.delete_words(name))

    def start_delete(self, name, *more):
        """As start()."""
        process = self.started((BIN / "capsule-deploy", *self.delete_words(name), *more))
        self.addCleanup(process.kill)
        return process

    def run_out(self, lease):
        """A lease whose holder was killed, which nobody has to wait for any longer: that is tested elsewhere."""
        self.must("patch", "lease", lease, "--type=merge", "-p", '{"spec": {"leaseDurationSeconds": 1}}')

    def object(self, name):
        return self.get("pd", name)

    def condition(self, name, kind):
        """"True: Reason", or nothing."""
        found = [one for one in self.object(name).get("status", {}).get("conditions", []) if one["type"] == kind]
        return f"{found[0]['status']}: {found[0]['reason']}" if found else None

    def pods(self, name):
        """Those that are not on their way out."""
        return [pod for pod in self.get("pods", "-l", f"app={name}")["items"] if "deletionTimestamp" not in pod["metadata"]]

    def is_ready(self, pod):
        return any(one["type"] == "Ready" and one["status"] == "True" for one in self.get("pod", pod)["status"].get("conditions", []))

    def record(self, reference, digest):
        """A run record, as the registry has it."""
        repository = reference.removeprefix(f"oci://{HOST}/").partition("@")[0]
        for scheme in ("https", "http"):
            done = self._run(("curl", "-sSfL", f"{scheme}://{HOST}/v2/{repository}/blobs/{digest}"), None, None, 60)
            if done.code == 0:
                break
        self.assertEqual(0, done.code, done)
        return json.loads(done.stdout)
