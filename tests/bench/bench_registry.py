"""Measures push and pull against tools that do a part of the same work, in the same run, with Debian's docker-registry on loopback.

    bench_registry.py [--mib 1024] [--small-mib 64] [--rounds 5] [--memory-mib 4096] [--folder DIR] [--only WORD[,WORD]]

`make bench-registry` builds oras and crane with Go; where they are not there, their rows say so. Prints one
table: medians of seconds, and the median of the ratios ours / peer within a round, for whoever else uses the machine disturbs
a round as a whole. Before each timed run the registry is empty (push) or holds the capsule (pull), and dirty pages are
written. Exit code 1 if a goal is missed. About eight minutes on a quiet machine; `make bench-registry BENCH_OPTIONS='--rounds 3'`
takes less.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from counting_proxy import CountingProxy  # noqa: E402
from fault_registry import FaultRegistry  # noqa: E402
from other_tools import BUILT  # noqa: E402
from registry_server import DockerRegistry  # noqa: E402
from steps import BIN, environment, start  # noqa: E402

MIB = 1 << 20
NAME = "bench"
# In a small process, for a child's peak counts what its parent had when it was forked.
MEASURE = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, fd) for fd in (1, 2)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_maxrss * 1024)
"""


class Ran:
    """One run of a program: seconds and peak resident memory in MiB."""

    def __init__(self, log, *argv):
        done = subprocess.run(["/usr/bin/python3", "-S", "-E", "-c", MEASURE, log, *map(str, argv)], text=True, capture_output=True,
                              env=environment(CAPSULE_STATE=str(log.parent / "state")), check=True)
        code, seconds, peak = done.stdout.split()
        if code != "0":
            raise RuntimeError(f"{argv[0]}: exit {code}\n{log.read_text()[-2000:]}")
        self.seconds, self.mib = float(seconds), int(peak) / MIB


class Bench:
    """The capsule, its package and the registry that all rows use."""

    def __init__(self, folder, arguments, registry):
        self.arguments = arguments
        self.folder, self.mib, self.rounds, self.registry = Path(folder), arguments.mib, arguments.rounds, registry
        self.memory_mib, self.small_mib = arguments.memory_mib, arguments.small_mib
        self.key = self.folder / "key"
        self.out = self.folder / "out"
        self.step("sign", "keygen", "--out", self.key)
        self.package = self.make_package("1.0.0", self.mib)
        self.layout = self.make_layout()

    def of_size(self, mib):
        """The same of another capsule."""
        folder = self.folder / str(mib)
        folder.mkdir()
        return Bench(folder, argparse.Namespace(**{**vars(self.arguments), "mib": mib}), self.registry)

    def step(self, name, *arguments):
        return Ran(self.folder / "log", BIN / f"capsule-{name}", *arguments)

    def tool(self, name, *arguments):
        return Ran(self.folder / "log", name, *arguments)

    def make_package(self, version, mib, weights=None):
        """The signed package of a capsule with `mib` MiB that do not shrink."""
        source = self.folder / f"capsule-{version}"
        (source / "expansion").mkdir(parents=True)
        (source / "capsule.json").write_text(json.dumps({"name": NAME, "version": version, "entrypoint": "expansion/run.sh"}))
        (source / "expansion/run.sh").write_text(f"#!/bin/sh\n# {version}\n")
        subprocess.run(["tar", "-cf", source / "capsule.tarball", "-C", self.folder, "--files-from", "/dev/null"], check=True)
        target = source / "expansion/weights.bin"
        if weights:
            os.link(weights, target)
        else:
            with target.open("wb") as file:
                for _ in range(mib):
                    file.write(os.urandom(MIB))
        package = self.folder / f"{version}.tar.gz"
        self.step("pack", source, "--out", package)
        self.step("sign", package, "--key", f"{self.key}.pem")
        return package

    def make_layout(self):
        """The package alone as an OCI layout, for tools that push one image."""
        self.step("publish", self.package, "--key", f"{self.key}.pub.pem", "--registry", f"oci-layout:{self.folder / 'layouts'}")
        layout = self.folder / "layouts" / NAME
        blob = lambda digest: json.loads((layout / "blobs/sha256" / digest[7:]).read_text())  # noqa: E731
        index = next(entry for entry in json.loads((layout / "index.json").read_text())["manifests"]
                     if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == "1.0.0")
        package = next(entry for entry in blob(index["digest"])["manifests"] if "artifactType" in entry)
        self.manifest = {name: package[name] for name in ("mediaType", "digest", "size")}
        self.weights = max(blob(package["digest"])["layers"], key=lambda layer: layer["size"])["digest"]
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [self.manifest]}))
        return layout

    def empty(self):
        self.registry.remove_content()
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def publish(self, package=None, place=None):
        return self.step("publish", package or self.package, "--key", f"{self.key}.pub.pem", "--registry",
                         place or self.registry.location("team"))

    def pull(self, version="1.0.0"):
        return self.step("verify", f"{self.registry.location('team')}/{NAME}:{version}", "--key", f"{self.key}.pub.pem", "--unpack", self.out)

    def curl_put(self):
        _, headers, _ = self.registry.request("POST", "/v2/team/curl/blobs/uploads/", b"")
        with (self.layout / "blobs/sha256" / self.weights[7:]).open("rb") as blob:
            url = headers["Location"] + f"&digest={self.weights}"
            return self.tool("curl", "-sSf", "-T", blob.name, "-H", "Content-Type: application/octet-stream", "-H", "Expect:", url)

    def race(self, contenders, before, rounds=None):
        """Runs them in turn; another begins each round. {name: [Ran]}"""
        found = {name: [] for name in contenders}
        names = list(contenders)
        for number in range(rounds or self.rounds):
            for name in names[number % len(names):] + names[:number % len(names)]:
                before()
                os.sync()
                time.sleep(1)  # the file system gives back what was removed
                found[name].append(contenders[name]())
        return found


class Table:
    FORM = "| {:<58} | {:>14} | {:>14} | {:>6} | {:>10} | {:<4} |"

    def __init__(self):
        self.missed = False
        print(self.FORM.format("what", "ours", "peer", "ratio", "goal", "met"))
        print(self.FORM.format(*(["---"] * 6)))

    def row(self, what, ours, peer="", ratio="", goal="", met=None):
        self.missed = self.missed or met is False
        print(self.FORM.format(what, ours, peer, ratio, goal, {True: "yes", False: "NO", None: ""}[met]), flush=True)

    def compare(self, what, found, goals):
        """The rows of a race between "ours" and others: {name: highest ratio that is wanted}."""
        median = lambda runs: f"{statistics.median(run.seconds for run in runs):.2f} s"  # noqa: E731
        for name in (name for name in found if name != "ours"):
            ratio = statistics.median(ours.seconds / peer.seconds for ours, peer in zip(found["ours"], found[name]))
            goal = goals.get(name)
            self.row(f"{what}, against {name}", median(found["ours"]), median(found[name]), f"{ratio:.2f}",
                     f"<= {goal:.2f}" if goal else "", ratio <= goal if goal else None)
        for name, runs in found.items():
            self.row(f"{what}: peak memory of {'ours' if name == 'ours' else name}", f"{max(run.mib for run in runs):.1f} MiB")


def go_tools(table):
    there = {name: BUILT / name for name in ("oras", "crane") if (BUILT / name).exists()}
    for name in {"oras", "crane"} - set(there):
        table.row(f"{name} is not there: `make bench-registry` builds it where Go is", "")
    return there


def push(bench, table, what="push", goal=1.15):
    host, go = bench.registry.host, go_tools(table)
    contenders = {
        "curl PUT": bench.curl_put,
        "ours": bench.publish,
        "skopeo": lambda: bench.tool("skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", f"oci:{bench.layout}",
                                     f"docker://{host}/team/skopeo:1")}
    if "oras" in go:
        contenders["oras"] = lambda: bench.tool(go["oras"], "push", "--plain-http", "--no-tty", "--disable-path-validation", f"{host}/team/oras:1",
                                                bench.package)
    if "crane" in go:
        contenders["crane"] = lambda: bench.tool(go["crane"], "push", "--insecure", bench.layout, f"{host}/team/crane:1")
    table.compare(what, bench.race(contenders, bench.empty), {"curl PUT": goal})


def small(bench, table):
    """Where requests and waiting count for more than bytes; no goal is set."""
    push(bench.of_size(bench.small_mib), table, f"push of {bench.small_mib} MiB", None)


def pull(bench, table):
    host, go = bench.registry.host, go_tools(table)
    bench.empty()
    bench.publish()
    package = f"{host}/team/{NAME}@{bench.manifest['digest']}"

    def clear():
        shutil.rmtree(bench.out, ignore_errors=True)
        bench.out.mkdir()

    contenders = {
        "curl GET": lambda: bench.tool("curl", "-sSf", "-o", bench.out / "blob", bench.registry.url(f"/v2/team/{NAME}/blobs/{bench.weights}")),
        "ours": bench.pull,
        "skopeo": lambda: bench.tool("skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", f"docker://{package}",
                                     f"dir:{bench.out}")}
    if "oras" in go:
        contenders["oras"] = lambda: bench.tool(go["oras"], "pull", "--plain-http", "--no-tty", "-o", bench.out, package)
    if "crane" in go:
        contenders["crane"] = lambda: bench.tool(go["crane"], "pull", "--insecure", "--format=oci", package, bench.out / "oci")
    table.compare("pull, verify, unpack", bench.race(contenders, clear), {"oras": 1.0})


def shared(bench, table):
    """A second version with other code and the same weights."""
    bench.empty()
    bench.publish()
    weights = bench.folder / "capsule-1.0.0/expansion/weights.bin"
    package = bench.make_package("1.0.1", 0, weights)
    changed = sum((bench.folder / "capsule-1.0.1" / path).stat().st_size for path in ("capsule.json", "expansion/run.sh"))
    with CountingProxy(bench.registry.port) as proxy:
        bench.publish(package, proxy.location("team"))
        beside = proxy.sent - changed
    package.unlink()
    table.row("new version with the same weights: sent beside the files", f"{beside / 1024:.1f} KiB", goal="<= 64 KiB", met=beside <= 64 << 10)


def killed(bench, kind, cut):
    """The share of the package that is sent by the second of two processes, of which the first is killed."""
    with DockerRegistry() if kind == "docker-registry" else FaultRegistry() as registry:
        if kind != "docker-registry":
            registry.relative_locations = True
        with CountingProxy(int(registry.host.rpartition(":")[2])) as proxy:
            place = proxy.location("team")
            process = start("publish", bench.package, "--key", f"{bench.key}.pub.pem", "--registry", place,
                            env=environment(CAPSULE_STATE=str(bench.folder / "state")))
            proxy.on_cut, proxy.cut = process.kill, cut
            process.communicate()
            assert process.returncode == -9, process.returncode
            before = proxy.sent
            bench.publish(place=place)
            return (proxy.sent - before) / bench.package.stat().st_size


def resume(bench, table):
    limit = 0.6 * bench.package.stat().st_size
    between = lambda head, sent: head.startswith("PATCH") and sent >= limit  # noqa: E731
    inside = lambda head, sent: not head and sent >= limit + 10 * MIB        # noqa: E731
    for what, kind, cut, goal in (("between chunks", "docker-registry", between, 0.45), ("between chunks", "faulty registry", between, 0.45),
                                  ("inside a chunk", "faulty registry", inside, 0.45),
                                  ("inside a chunk, session lost", "docker-registry", inside, 1.01)):
        share = killed(bench, kind, cut)
        table.row(f"killed at 60 % {what}, {kind}: sent again", f"{share * 100:.1f} %", goal=f"<= {goal * 100:.0f} %", met=share <= goal)


def memory(bench, table):
    bench.empty()
    package = bench.make_package("2.0.0", bench.memory_mib)
    shutil.rmtree(bench.folder / "capsule-2.0.0")
    for what, ran in (("push", bench.publish(package)), ("pull, verify, unpack", bench.pull("2.0.0"))):
        table.row(f"{what}: peak memory at {bench.memory_mib} MiB ({ran.seconds:.1f} s)", f"{ran.mib:.1f} MiB", goal="<= 24 MiB", met=ran.mib <= 24)
    package.unlink()
    bench.empty()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--small-mib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-mib", type=int, default=4096)
    parser.add_argument("--only", default="", help="the rows of some functions: push, small, pull, shared, resume, memory")
    parser.add_argument("--folder", help="where the files go, about ten times the size [a temporary folder]")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, DockerRegistry() as registry:
        bench, table = Bench(folder, arguments, registry), Table()
        for rows in (push, small, pull, shared, resume, memory):
            if not arguments.only or rows.__name__ in arguments.only.split(","):
                rows(bench, table)
        print(f"{time.monotonic() - began:.0f} s; load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        return int(table.missed)


if __name__ == "__main__":
    sys.exit(main())
