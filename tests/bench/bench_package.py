#!/usr/bin/python3
"""Measures pack, verify and publish against public tools on the same bytes, in the same run; prints one table.

    tests/bench/bench_package.py [MIB]     incompressible weights of 1024 MiB unless given; CAPSULE_BIN names the binaries

Medians of three, in turn, so that a machine that drifts drifts for all. Goals: pack at least 0.7 of the slower of openssl and dd; verify at
least 0.7 of openssl and 4 times gunzip | sha256sum; 24 MiB of memory; a step starts within 5 ms, or 12 ms with libcurl.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import small_capsule  # noqa: E402
from steps import BIN, peak_memory, run  # noqa: E402

ROUNDS = 3
PIECE = 16 << 20
MIB = 1 << 20


def seconds(work):
    before = time.monotonic()
    work()
    return time.monotonic() - before


def must(step, *arguments):
    done = run(step, *arguments, timeout=900)
    if done.code != 0:
        sys.exit(f"{step}: {done}")


def shell(*words, **more):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def gunzip_sha256sum(package):
    gunzip = subprocess.Popen(["gunzip", "-c", package], stdout=subprocess.PIPE)
    shell("sha256sum", stdin=gunzip.stdout)
    gunzip.stdout.close()
    gunzip.wait()


def capsule(folder, size):
    small_capsule.write(folder)
    with open(folder / "weights.bin", "wb") as file:
        for start in range(0, size, PIECE):
            file.write(os.urandom(min(PIECE, size - start)))


def medians(works):
    taken = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: statistics.median(values) for name, values in taken.items()}


def speed(folder, size):
    source, package, key = folder / "capsule", folder / "p.tar.gz", folder / "key"
    capsule(source, size)
    weights = source / "weights.bin"
    must("sign", "keygen", "--out", key)

    def pack():
        package.unlink(missing_ok=True)
        must("pack", source, "--out", package)

    def dd():
        shell("dd", f"if={weights}", f"of={folder / 'copy'}", "bs=1M", "conv=fsync")
        (folder / "copy").unlink()

    def openssl(path):
        return lambda: shell("openssl", "dgst", "-sha256", path)

    time_of = medians({"openssl": openssl(weights), "dd": dd, "pack": pack})
    must("sign", package, "--key", f"{key}.pem")
    time_of |= medians({"openssl_package": openssl(package), "verify": lambda: must("verify", package, "--key", f"{key}.pub.pem"),
                        "gunzip": lambda: gunzip_sha256sum(package)})
    return [("pack / slower of openssl and dd", max(time_of["openssl"], time_of["dd"]) / time_of["pack"], 0.7),
            ("verify / openssl", time_of["openssl_package"] / time_of["verify"], 0.7),
            ("verify / gunzip | sha256sum", time_of["gunzip"] / time_of["verify"], 4)]


def memory(folder, size):
    folder = folder / f"{size}"  # a registry of its own: the version is the same, the content is not
    folder.mkdir()
    source, package, key = folder / "capsule", folder / "p.tar.gz", folder / "key"
    capsule(source, size)
    must("sign", "keygen", "--out", key)
    rows = []
    for step, *arguments in (("pack", source, "--out", package), ("sign", package, "--key", f"{key}.pem"),
                             ("verify", package, "--key", f"{key}.pub.pem"),
                             ("publish", package, "--key", f"{key}.pub.pem", "--registry", f"oci-layout:{folder / 'registry'}")):
        code, peak = peak_memory(step, *arguments)
        if code != 0:
            sys.exit(f"{step}: exit {code}")
        rows.append((f"{step} of {size // MIB} MiB, peak MiB", peak / MIB, 24))
    return rows


def starts():
    rows = []
    for program in sorted(BIN.glob("capsule-*")):
        step = program.name.removeprefix("capsule-")
        taken = [seconds(lambda: shell(program, "--version")) for _ in range(20)]
        rows.append((f"start of {step}, ms", statistics.median(taken) * 1e3, 12 if step in ("download", "generate-proof") else 5))
    return rows


def main():
    size = (int(sys.argv[1]) if len(sys.argv) > 1 else 1024) * MIB
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'':42}{'measured':>10}{'goal':>10}")
        for what, ratio, goal in speed(folder, size):
            print(f"{what:42}{ratio:>10.2f}{'≥ ' + str(goal):>10}")
        for what, value, goal in memory(folder, 10 * MIB) + memory(folder, size) + starts():
            print(f"{what:42}{value:>10.1f}{'≤ ' + str(goal):>10}")


if __name__ == "__main__":
    main()
