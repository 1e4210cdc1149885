"""A Kubernetes of one node in one network namespace, with a registry: `cluster.py up|down|run FOLDER [COMMAND …]`.

up     starts it and waits until the node is ready; it ends with 77, and the reason, where this machine cannot have one
run    runs a command in its network, with KUBECONFIG of its administrator
down   ends every process of it and leaves nothing: no mount, no namespace, no cgroup, no folder
"""
import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import control_plane
import probe
from authority import Authority
from cgroup import ControlGroup
from network import Network
from node import Node
from processes import Processes

NODE_NAME = "capsule-node"
# In the order of their start.
PROGRAMS = ("containerd", "etcd", "kube-apiserver", "registry", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


class Cluster:
    def __init__(self, folder, binaries=None, image_volumes=True):
        self.folder = Path(folder).resolve()
        self.remembered = self.folder / "bin"
        self.binaries = Path(binaries or (self.remembered if self.remembered.exists() else self.folder.parent / "bin")).resolve()
        self.image_volumes = image_volumes
        # Two trees on one machine each have their own.
        name = f"capsule-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"
        self.network = Network(name)
        self.control_group = ControlGroup(name)
        self.processes = Processes(self.folder / "processes")
        self.authority = Authority(self.folder / "pki")
        self.node = Node(NODE_NAME, self.folder / "node", self.binaries, self.authority, image_volumes, name)
        self.of_tests = self.folder / "of-tests"
        self.audit_log = self.authority.path("audit.log")
        self.kubeconfig = self.authority.path("admin.kubeconfig")

    def up(self, of_tests=False):
        """Starts it; a second time it is left alone, and one of which a part has died is started anew. Where that fails, or is interrupted,
        nothing is left."""
        with self._alone():
            if self.is_up():
                return
            self._down()
            try:
                self._bring_up(of_tests)
            except BaseException:
                self._down()
                raise

    def _bring_up(self, of_tests):
        if of_tests:
            self.folder.mkdir()
            self.of_tests.touch()
        self.network.make()
        self.control_group.make()
        control_plane.make_identities(self.authority, NODE_NAME)
        self.node.write_files()
        self.remembered.symlink_to(self.binaries)
        self._start("containerd", self.node.containerd())
        self._start("etcd", control_plane.etcd(self.folder / "etcd"))
        self._start("kube-apiserver", control_plane.apiserver(self.authority, self.image_volumes))
        self._start("registry", self.node.registry())
        self._wait("the API server", lambda: self.kubectl("get", "--raw", "/readyz").returncode == 0)
        self._start("kube-controller-manager", control_plane.controller_manager(self.authority))
        self._start("kube-scheduler", control_plane.scheduler(self.authority))
        self._wait("containerd", self.node.socket.exists)
        self.node.import_pause()
        self._start("kubelet", self.node.kubelet())
        self._start("kube-proxy", self.node.proxy())
        self._wait("the node", lambda: "True" in self.kubectl(
            "get", "node", NODE_NAME, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}").stdout)
        self._wait("the default service account", lambda: self.kubectl("get", "serviceaccount", "default").returncode == 0)

    def is_up(self):
        return all(self.processes.alive(name) for name in PROGRAMS)

    def down(self):
        with self._alone():
            self._down()

    @contextlib.contextmanager
    def _alone(self):
        """One at a time brings it up or down; others wait. What is locked is the folder above, since nothing may be left of this one."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        above = os.open(self.folder.parent, os.O_RDONLY)
        try:
            fcntl.flock(above, fcntl.LOCK_EX)
            yield
        finally:
            os.close(above)

    def _down(self):
        """Ends it, whole or in parts; what is asked first may end in good order, what is left is killed."""
        for name in reversed(PROGRAMS[1:]):
            self.processes.stop(name)
        if self.processes.alive("containerd"):
            self.node.end_tasks()
        self.processes.stop("containerd")
        self.control_group.end()
        self.node.unmount()
        self.node.remove_log_links()
        self.network.delete()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def obstacle(self):
        return probe.obstacle(self.binaries)

    def kubectl(self, *words):
        return self.run([self.binaries / "kubectl", *words], capture_output=True, text=True, timeout=60)

    def run(self, words, env=None, **how):
        """A command inside the cluster's network, as its administrator."""
        return subprocess.run([str(word) for word in (*self.network.enter, *words)], env=self.environment(env), check=False, **how)

    def environment(self, base=None):
        base = os.environ if base is None else base
        return {**base, "KUBECONFIG": str(self.kubeconfig), "PATH": f"{self.binaries}:{base['PATH']}"}

    def _start(self, name, words):
        # containerd finds its shim, and the kubelet mount and iptables, by PATH.
        self.processes.start(name, *self.network.enter, *words,
                             environment={"PATH": f"{self.binaries}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
                                          "OTEL_TRACES_EXPORTER": "none"}, first=self.control_group.enter)

    def _wait(self, what, ready, seconds=300):
        end = time.monotonic() + seconds
        while not ready():
            ended = [name for name in self.processes.names() if not self.processes.alive(name)]
            if ended or time.monotonic() > end:
                last = [f"\n{name}: {line}" for name in ended or self.processes.names() for line in self.processes.last_lines(name)]
                raise SystemExit(f"{what} did not come up; ended: {', '.join(ended) or 'nothing'}; the last words of each:{''.join(last)}")
            time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", help="where build.sh put the programs; the folder `bin` beside FOLDER by default")
    parser.add_argument("--no-image-volumes", action="store_true", help="a cluster whose feature gate ImageVolume is off")
    parser.add_argument("--of-tests", action="store_true", help="up: it is the tests' own; down: only if it is")
    parser.add_argument("what", choices=["up", "down", "run"])
    parser.add_argument("folder")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    cluster = Cluster(options.folder, options.binaries, not options.no_image_volumes)
    if options.what == "run":
        sys.exit(cluster.run(options.command).returncode)
    if options.what == "up":
        up(cluster, options.of_tests)
    elif options.of_tests and os.environ.get("CAPSULE_E2E_KUBECONFIG"):
        wait_for_namespaces()
    elif not options.of_tests or cluster.of_tests.exists():
        down(cluster)


def up(cluster, of_tests):
    if cluster.is_up() or (of_tests and os.environ.get("CAPSULE_E2E_KUBECONFIG")):
        return
    if reason := cluster.obstacle():
        print(f"no cluster on this machine: {reason}", file=sys.stderr)
        sys.exit(77)
    began = time.monotonic()
    cluster.up(of_tests)
    print(f"the node is ready after {time.monotonic() - began:.0f} s; KUBECONFIG={cluster.kubeconfig}; a command in its network: "
          f"{sys.argv[0]} run {cluster.folder} kubectl get nodes", file=sys.stderr)


def down(cluster):
    if cluster.folder.exists() and os.geteuid() != 0:
        sys.exit(f"only root takes the cluster in {cluster.folder} down")
    cluster.down()


def wait_for_namespaces(seconds=300):
    """Those of tests on somebody's cluster, which they have told to go; how many are there yet then is said."""
    environment = {**os.environ, "KUBECONFIG": os.environ["CAPSULE_E2E_KUBECONFIG"]}
    words = ["kubectl", "get", "namespaces", "-l", f"capsule-loop.test/run={os.environ.get('CAPSULE_E2E_RUN', 'by-hand')}", "-o", "name"]
    until = time.monotonic() + seconds
    while shutil.which("kubectl") and (left := subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout.split()):
        if time.monotonic() > until:
            sys.exit(f"still there on the cluster of CAPSULE_E2E_KUBECONFIG: {' '.join(left)}")
        time.sleep(1)


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted; `cluster.py down` takes away what is left, if anything is")
