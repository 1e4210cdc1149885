"""Whether this machine can have a cluster at all; every answer was tried, not guessed."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cgroup import ControlGroup, hierarchies

# Of Debian's packages; `make test-deps` installs them.
PROGRAMS = ("ip", "nsenter", "iptables", "runc", "gcc", "openssl", "docker-registry")
PLUGINS = ("bridge", "host-local", "loopback", "portmap")
BUILT = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
         "containerd", "containerd-shim-runc-v2", "ctr")


def obstacle(binaries):
    """The first thing that stands against a cluster here, in one line; None where nothing does."""
    if os.geteuid() != 0:
        return "only root makes network namespaces and runs a kubelet"
    lacking = [name for name in BUILT if not (Path(binaries) / name).is_file()]
    if lacking:
        return f"{', '.join(lacking)} not built: `make cluster-programs` does it where Go is there" + ("" if shutil.which("go") else ", and it is not")
    lacking = [name for name in PROGRAMS if not shutil.which(name)] + [name for name in PLUGINS if not (Path("/usr/lib/cni") / name).is_file()]
    if lacking:
        return f"{', '.join(lacking)} not there: `make test-deps` installs them"
    for attempt in (_network, _groups, _container):
        if said := attempt():
            return said
    return None


def _said(*words, **how):
    """What a program said when it failed; None when it did not."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, timeout=60, **how)
    return None if done.returncode == 0 else f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:]}"


def _network():
    name = f"capsule-probe-{os.getpid()}"
    if said := _said("ip", "netns", "add", name):
        return f"no network namespace can be made: {said}"
    try:
        enter = ("nsenter", f"--net=/run/netns/{name}", "--")
        for words in (("ip", "link", "add", "probe0", "type", "bridge"), ("iptables", "-t", "nat", "-A", "POSTROUTING", "-m", "comment", "--comment", "x", "-j", "MASQUERADE"),
                      ("iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")):
            if said := _said(*enter, *words):
                return f"a network of its own lacks what pods need: {' '.join(words[:4])}: {said}"
    finally:
        _said("ip", "netns", "delete", name)
    return None


def _groups():
    if not hierarchies():
        return "no control groups are mounted on /sys/fs/cgroup"
    group = ControlGroup(f"capsule-probe-{os.getpid()}")
    try:
        group.make()
        return None
    except OSError as error:
        return f"no control group can be made: {error}"
    finally:
        group.end()


def _container():
    """One container of one program on an overlay, in namespaces of its own."""
    with tempfile.TemporaryDirectory(prefix="capsule-probe-") as temporary:
        folder = Path(temporary)
        for name in ("lower", "upper", "work", "rootfs"):
            (folder / name).mkdir()
        if said := _said("gcc", "-static", "-x", "c", "-o", folder / "lower/probe", "-", input="int main(void) { return 0; }"):
            return said
        if said := _said("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work", folder / "rootfs"):
            return f"no overlay can be mounted: {said}"
        name = f"capsule-probe-{os.getpid()}"
        try:
            if said := _said("runc", "spec", cwd=folder):
                return said
            spec = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            spec["process"].update(args=["/probe"], terminal=False)
            spec["linux"]["cgroupsPath"] = f"/{name}"
            (folder / "config.json").write_text(json.dumps(spec), encoding="utf-8")
            if said := _said("runc", "--root", folder / "state", "run", "--bundle", folder, name, stdin=subprocess.DEVNULL):
                return f"runc runs no container here: {said}"
        finally:
            _said("umount", folder / "rootfs")
    return None
