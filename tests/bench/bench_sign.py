#!/usr/bin/python3
"""Measures capsule-sign against `openssl dgst -sha256` of the same package, in the same run; prints one table.

    tests/bench/bench_sign.py [MIB]        incompressible weights of 1024 MiB unless given; CAPSULE_BIN names the binaries

Best of three. Each round signs a fresh copy of the unsigned package, then the signed one again.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import small_capsule  # noqa: E402
from steps import peak_memory, run  # noqa: E402

ROUNDS = 3
PIECE = 16 << 20


def write_weights(path, size):
    with open(path, "wb") as file:
        for start in range(0, size, PIECE):
            file.write(os.urandom(min(PIECE, size - start)))


def seconds(work):
    before = time.monotonic()
    work()
    return time.monotonic() - before


def must(step, *arguments):
    done = run(step, *arguments, timeout=600)
    if done.code != 0:
        sys.exit(f"{step}: {done}")


def main():
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capsule = small_capsule.write(folder / "capsule")
        write_weights(capsule / "expansion/model.pt", mib << 20)
        unsigned, package, key = folder / "unsigned.tar.gz", folder / "p.tar.gz", folder / "key"
        must("pack", capsule, "--out", unsigned)
        must("sign", "keygen", "--out", key)
        shutil.rmtree(capsule)
        best = {}
        for _ in range(ROUNDS):
            shutil.copyfile(unsigned, package)
            for sibling in folder.glob("p.tar.gz.*"):
                sibling.unlink()
            os.sync()
            for what, work in (
                    ("openssl dgst -sha256", lambda: subprocess.run(["openssl", "dgst", "-sha256", package], check=True,
                                                                    stdout=subprocess.DEVNULL)),
                    ("sign, a new signature", lambda: must("sign", package, "--key", f"{key}.pem")),
                    ("sign, all is there", lambda: must("sign", package, "--key", f"{key}.pem"))):
                best[what] = min(best.get(what, float("inf")), seconds(work))
        shutil.copyfile(unsigned, package)
        _, peak = peak_memory("sign", package, "--key", f"{key}.pem")
    reference = best["openssl dgst -sha256"]
    print(f"{'sign, ' + str(mib) + ' MiB':<24} {'s':>7} {'x openssl':>10}   goal")
    for what, taken in best.items():
        goal = "" if what.startswith("openssl") else "0.40"
        print(f"{what:<24} {taken:7.2f} {reference / taken:10.2f}   {goal}")
    print(f"{'peak memory, MiB':<24} {peak / (1 << 20):7.1f} {'':>10}   24")


if __name__ == "__main__":
    main()
