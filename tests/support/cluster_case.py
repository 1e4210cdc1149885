"""Tests on a real Kubernetes: the one of tests/cluster that ctest starts before them, or, through CAPSULE_E2E_KUBECONFIG, one
that is there. On that one they make namespaces of their own, and nothing else changes; CAPSULE_E2E_REGISTRY=HOST[/BASE] is a registry
that it and this machine reach, CAPSULE_E2E_IMAGES=HOST/BASE where its nodes find our images (they have them already: by default).

    class Something(ClusterCase):
        on_node = True                     # needs the node's containerd or the registry beside it: our own cluster alone

        def test_it(self):
            self.must("apply", "-f", "-", input=text)          # kubectl in this class's own namespace
            self.import_image(archive)                         # a docker archive or an OCI layout as tar
            self.inside("publish", package, …)                 # a step in the cluster's network
"""
import atexit
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from steps import BIN, SOURCE, Outcome, environment

sys.path.insert(0, str(SOURCE / "tests/cluster"))
import control_plane  # noqa: E402
import cluster_pods  # noqa: E402
import once  # noqa: E402
import side_load  # noqa: E402
from cluster import Cluster  # noqa: E402

STATE = Path(os.environ.get("CAPSULE_CLUSTER", SOURCE / "build/cluster/state"))
THEIRS = os.environ.get("CAPSULE_E2E_KUBECONFIG", "")
THEIR_REGISTRY = os.environ.get("CAPSULE_E2E_REGISTRY", "")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"

# Of a test's namespace; `cluster.py down` waits for the end of those on somebody's cluster.
OF_TESTS = f"capsule-loop.test/run={os.environ.get('CAPSULE_E2E_RUN', 'by-hand')}"

# Of a test that changes a node, or counts on what ours has and lacks.
ours_alone = unittest.skipIf(THEIRS, "somebody's cluster: this is about a node of our own")


class ClusterCase(unittest.TestCase):
    on_node = False
    is_theirs = bool(THEIRS)

    @classmethod
    def setUpClass(cls):
        atexit.register(cls.doClassCleanups)  # an interrupted test leaves nothing either
        cls.cluster = cls.the_cluster()
        if THEIRS and cls.on_node:
            raise unittest.SkipTest("somebody's cluster: this needs the node itself")
        if THEIRS and not shutil.which("kubectl"):
            raise AssertionError("kubectl is not on the PATH")
        if not THEIRS and not cls.cluster.is_up():
            if reason := cls.cluster.obstacle():
                raise unittest.SkipTest(f"no cluster on this machine: {reason}")
            raise AssertionError("the cluster is not up: run `make cluster` (ctest does it by itself)")
        cls.namespace = cls.make_namespace()

    @classmethod
    def the_cluster(cls):
        return Cluster(STATE)

    @classmethod
    def make_namespace(cls):
        """A new one in which only pods of the restricted standard are admitted; it goes when the class has ended."""
        name = f"test-{cls.__name__.lower()}-{secrets.token_hex(3)}"
        cls.must("create", "namespace", name)
        cls.addClassCleanup(cls.kubectl, "delete", "namespace", name, "--wait=false")
        cls.must("label", "namespace", name, RESTRICTED, OF_TESTS)
        return name

    @classmethod
    def kubectl(cls, *words, input=None, timeout=180):
        """How kubectl ended, as the cluster's administrator in the namespace of this class."""
        within = ("-n", cls.namespace) if hasattr(cls, "namespace") else ()
        for _ in range(4):
            done = cls._run(("kubectl", *within, *words), None, input, timeout)
            # A busy API server with many CRDs takes longer to put its schema together than kubectl waits, which has asked for nothing yet then.
            if "/openapi/v2?timeout" not in done.stderr:
                break
        return done

    @classmethod
    def must(cls, *words, **how):
        """kubectl's stdout."""
        done = cls.kubectl(*words, **how)
        assert done.code == 0, (words, done)
        return done.stdout

    @classmethod
    def get(cls, *words):
        """An object, or a list of them, as a document."""
        return json.loads(cls.must("get", *words, "-o", "json"))

    @classmethod
    def create(cls, *documents):
        """Creates objects, each checked strictly."""
        cls.must("create", "--validate=strict", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)}))

    @classmethod
    def inside(cls, step, *words, env=None, timeout=300):
        """A step's program in the cluster's network."""
        return cls._run((BIN / f"capsule-{step}", *words), environment(**(env or {})), None, timeout)

    @classmethod
    def started(cls, words, **how):
        """A process in the cluster's network that goes on meanwhile, in a process group of its own."""
        enter, env = ((), {**environment(), "KUBECONFIG": THEIRS}) if THEIRS else (cls.cluster.network.enter, cls.cluster.environment(environment()))
        process = subprocess.Popen([str(word) for word in (*enter, *words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True, env={**env, **how.pop("env", {})}, **how)
        atexit.register(process.kill)
        return process

    @classmethod
    def load_images(cls):
        """Puts our images into the node's containerd under the names that shipped files use; once for all classes. A cluster of
        somebody's has them already, or the tests are skipped."""
        if not cls.is_theirs:
            return once.load_images(cls.cluster, Cluster(STATE))
        image = side_load.named("runtime-python")
        cls.create(cluster_pods.pod("probe-of-images", image, "/usr/bin/python3", "-c", "0"))
        until = time.monotonic() + 120
        while (phase := cls.get("pod", "probe-of-images")["status"])["phase"] != "Succeeded":
            waiting = [one["state"].get("waiting", {}) for one in phase.get("containerStatuses", [])]
            if time.monotonic() > until or any(one.get("reason") in ("ErrImagePull", "ImagePullBackOff") for one in waiting):
                raise unittest.SkipTest(f"somebody's cluster, whose nodes cannot have {image}: `make images PUSH=HOST/BASE`, then IMAGES=HOST/BASE; {waiting}")
            time.sleep(0.5)
        cls.must("delete", "pod", "probe-of-images", "--wait=false")
        return None

    @classmethod
    def import_image(cls, archive):
        cls.cluster.node.ctr("images", "import", archive)

    def wait_for(self, what, ready, seconds=180):
        """Until ready() gives something, which is returned."""
        until = time.monotonic() + seconds
        while not (found := ready()):
            if time.monotonic() > until:
                self.fail(f"{what}: not within {seconds} s\n{self.kubectl('get', 'pods,events').stdout}")
            time.sleep(0.3)
        return found

    def wait_until_ended(self, pod, seconds=180):
        """The phase in which a pod ended."""
        return self.wait_for(f"the end of pod {pod}", lambda: (phase := self.get("pod", pod)["status"].get("phase")) in ("Succeeded", "Failed") and phase, seconds)

    def restart_apiserver(self):
        """As after a crash: it has no chance to end its watches in good order."""
        os.kill(self.cluster.processes.pid("kube-apiserver"), signal.SIGKILL)
        self.wait_for("its end", lambda: not self.cluster.processes.alive("kube-apiserver"), 30)
        self.addCleanup(self.wait_for_apiserver)  # other tests come after this one, whatever becomes of it
        self.cluster._start("kube-apiserver", control_plane.apiserver(self.cluster.authority, self.cluster.image_volumes))

    def wait_for_apiserver(self):
        """It is as slow to start as the machine is busy."""
        self.wait_for("the API server", lambda: self.kubectl("get", "--raw", "/readyz").code == 0, 180)

    @classmethod
    def _run(cls, words, env, text, timeout):
        if THEIRS:
            done = subprocess.run([str(word) for word in words], env={**(env or os.environ), "KUBECONFIG": THEIRS}, input=text, text=True,
                                  capture_output=True, timeout=timeout, check=False)
        else:
            done = cls.cluster.run(words, env=env, input=text, text=True, capture_output=True, timeout=timeout)
        return Outcome(done.returncode, done.stdout, done.stderr)
