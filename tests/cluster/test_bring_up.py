"""The cluster itself: what the other tests rely on, and that nothing of it is left when it has gone."""
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import cluster as cluster_program
import probe
import summary
from cgroup import hierarchies
from cluster import PROGRAMS, Cluster
from cluster_case import STATE, ClusterCase
from cluster_pods import pod
from node import PAUSE, Node


class BringUp(ClusterCase):
    on_node = True

    def test_a_restricted_pod_runs_and_another_is_refused(self):
        self.create(pod("one", PAUSE))
        self.must("wait", "--for=condition=Ready", "pod/one", "--timeout=120s")
        refused = self.kubectl("create", "-f", "-", input='{"apiVersion":"v1","kind":"Pod","metadata":{"name":"two"},"spec":{"hostNetwork":true,'
                                                          '"containers":[{"name":"main","image":"x"}]}}')
        self.assertEqual(1, refused.code)
        self.assertIn('violates PodSecurity "restricted', refused.stderr)

    def test_the_registry_answers(self):
        done = self.cluster.run(["curl", "-sf", "--noproxy", "*", "http://10.99.0.1:5000/v2/"], capture_output=True, text=True)
        self.assertEqual((0, "{}"), (done.returncode, done.stdout), done)


class Probe(unittest.TestCase):
    def test_what_is_missing_is_named(self):
        with tempfile.TemporaryDirectory() as empty:
            said = probe.obstacle(empty)
        self.assertIn("kube-apiserver" if os.geteuid() == 0 else "only root", said)


# Containers are listed as often as `left` has lines; one that is deleted has ended by itself a moment before.
CTR = """#!/bin/sh
case "$*" in
  *list*) sed -n 1p "$0.left"; sed -i 1d "$0.left";;
  *) echo 'cannot delete a deleted process: not found' >&2; exit 1;;
esac
"""


class EndOfContainers(unittest.TestCase):
    def said(self, left, **more):
        """What is said on stderr while containers are ended that are listed so often."""
        with tempfile.TemporaryDirectory() as folder:
            ctr = Path(folder) / "ctr"
            ctr.write_text(CTR, encoding="ascii")
            ctr.chmod(0o755)
            ctr.with_name("containerd.sock").touch()
            ctr.with_name("ctr.left").write_text("a\n" * left, encoding="ascii")
            with contextlib.redirect_stderr(io.StringIO()) as said:
                Node("node", folder, folder, None, True, "group").end_tasks(**more)
        return said.getvalue()

    def test_one_that_ends_by_itself_meanwhile_is_no_trouble(self):
        self.assertEqual("", self.said(2))

    def test_what_is_left_for_too_long_is_said(self):
        self.assertIn("they are killed: cannot delete a deleted process", self.said(1000, seconds=0.1))


class Traces(unittest.TestCase):
    """A second cluster beside the first, with parts of it killed."""

    def test_a_cluster_that_lost_its_parts_leaves_nothing(self):
        shared = Cluster(STATE)
        if not shared.is_up():
            self.skipTest("the cluster is not up")
        with tempfile.TemporaryDirectory(prefix="c-") as temporary:
            cluster = Cluster(Path(temporary) / "state", shared.binaries)
            self.addCleanup(cluster.down)
            cluster.up()
            cluster.up()
            done = subprocess.run([*cluster.network.enter, "kubectl", "create", "-f", "-"], input=json.dumps(pod("one", PAUSE)),
                                  text=True, env=cluster.environment(), capture_output=True, check=False)
            self.assertEqual(0, done.returncode, done)
            done = cluster.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=50s")
            self.assertEqual(0, done.returncode, done)
            for name in ("kubelet", "containerd", "etcd"):
                os.kill(cluster.processes.pid(name), signal.SIGKILL)
            cluster.down()
            cluster.down()
            self.assert_nothing_is_left(cluster)
        self.assertTrue(all(shared.processes.alive(name) for name in PROGRAMS))

    def test_one_that_is_interrupted_while_it_comes_up_leaves_nothing(self):
        shared = Cluster(STATE)
        if reason := shared.obstacle():
            self.skipTest(reason)
        with tempfile.TemporaryDirectory(prefix="c-") as temporary:
            cluster = Cluster(Path(temporary) / "state", shared.binaries)
            self.addCleanup(cluster.down)
            up = subprocess.Popen([sys.executable, "-B", cluster_program.__file__, "--binaries", shared.binaries, "up", cluster.folder],
                                  stderr=subprocess.PIPE, text=True)
            while not cluster.processes.alive("kube-apiserver"):
                self.assertIsNone(up.poll())
                time.sleep(0.05)
            up.send_signal(signal.SIGINT)
            self.assertEqual("interrupted", up.communicate(timeout=120)[1].partition(";")[0])
            self.assert_nothing_is_left(cluster)

    def assert_nothing_is_left(self, cluster):
        self.assertEqual([], list(cluster.folder.parent.iterdir()))
        self.assertNotIn(str(cluster.folder), Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
        self.assertFalse(cluster.network.exists())
        self.assertEqual([], [top for top in hierarchies() if (top / cluster.control_group.name).exists()])
        self.assertEqual([], commands_with(str(cluster.folder)))


# As ctest's log has it.
LOG = """
setUpClass (__main__.Agent) ... skipped "somebody's cluster: this needs the node itself"
test_a (__main__.Deploy.test_a)
What it is about. ... skipped 'no GPU'
test_b (__main__.Deploy.test_b) ... ok
test_c (__main__.Traces.test_c) ... skipped 'no GPU'
setUpClass (__main__.WithArgo) ... skipped 'no Argo controller acts on this cluster: x'
OK (skipped=4)
this cluster does not enforce NetworkPolicies
"""


class Summary(unittest.TestCase):
    def test_depth_policies_and_reasons_are_told(self):
        self.assertEqual(["this cluster does not enforce NetworkPolicies", "no Argo controller acts on this cluster: x",
                          "skipped: Agent: somebody's cluster: this needs the node itself", "skipped: Deploy.test_a, Traces.test_c: no GPU",
                          "skipped: WithArgo: no Argo controller acts on this cluster: x"], list(summary.summary(LOG)))


def commands_with(text):
    """The command lines of processes that hold a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


if __name__ == "__main__":
    unittest.main()
