"""Measures the steps that stream a package against the tools that do a part of the same work, in the same run.

    bench_package.py [--mib 1024] [--rounds 3] [--folder DIR]

Prints one table. A row's ratio is time of the tool / time of the step: 1.0 is as fast, above is faster. Each round runs
the tools and the step one after the other, and the best of all rounds counts, so that a busy machine disturbs all of them
alike. To add a row: write a function that returns a Row, and name it in ROWS. Exit code 1 if a goal is missed.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from rows import Row, report  # noqa: E402
from steps import BIN, environment, peak_memory  # noqa: E402

MIB = 1 << 20


class Bench:
    """The files that all rows use, and the clock."""

    def __init__(self, folder, mib, rounds):
        self.folder = Path(folder)
        self.mib = mib
        self.rounds = rounds
        self.capsules = {}
        self.key = self.folder / "key"
        self.step("sign", "keygen", "--out", self.key)
        self.make_capsule("large", mib)

    def make_capsule(self, name, mib):
        """A folder with `mib` MiB that do not shrink, and its signed package."""
        folder = self.folder / name
        (folder / "expansion").mkdir(parents=True)
        (folder / "capsule.json").write_text(f'{{"name":"{name}","version":"1.0.0","entrypoint":"expansion/run.sh"}}')
        (folder / "expansion/run.sh").write_text("#!/bin/sh\n")
        subprocess.run(["tar", "-cf", folder / "capsule.tarball", "-C", folder / "expansion", "run.sh"], check=True)
        with (folder / "expansion/weights.bin").open("wb") as weights:
            for _ in range(mib):
                weights.write(os.urandom(MIB))
        package = self.folder / f"{name}.tar.gz"
        self.step("pack", folder, "--out", package)
        signed = self.folder / f"{name}-signed.tar.gz"
        shutil.copyfile(package, signed)
        self.step("sign", signed, "--key", f"{self.key}.pem")
        self.capsules[name] = (folder, package, signed)

    def step(self, name, *arguments):
        subprocess.run([BIN / f"capsule-{name}", *map(str, arguments)], env=environment(), stdout=subprocess.DEVNULL, check=True)

    def shell(self, command):
        subprocess.run(["bash", "-o", "pipefail", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def race(self, **runs):
        """Best time of each, in seconds."""
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(self.rounds):
            for name, work in runs.items():
                began = time.monotonic()
                work()
                best[name] = min(best[name], time.monotonic() - began)
        return best

    def weights(self, name="large"):
        return self.capsules[name][0] / "expansion/weights.bin"


def ratio(what, reference, step, goal):
    value = reference / step
    return Row(what, f"{value:.2f}", f">= {goal}", value >= goal)


def pack_speed(bench):
    out, copied = bench.folder / "packed.tar.gz", bench.folder / "copied.bin"

    def fresh(path, work):
        path.unlink(missing_ok=True)
        work()

    best = bench.race(
        openssl=lambda: bench.shell(f"openssl dgst -sha256 {bench.weights()}"),
        dd=lambda: fresh(copied, lambda: bench.shell(f"dd if={bench.weights()} of={copied} bs=1M conv=fsync")),
        pack=lambda: fresh(out, lambda: bench.step("pack", bench.capsules["large"][0], "--out", out)))
    copied.unlink()
    out.unlink()
    return ratio(f"pack, against the slower of openssl ({best['openssl']:.2f} s) and dd conv=fsync ({best['dd']:.2f} s)",
                 max(best["openssl"], best["dd"]), best["pack"], 0.7)


def verify_speed(bench):
    signed = bench.capsules["large"][2]
    best = bench.race(openssl=lambda: bench.shell(f"openssl dgst -sha256 {signed}"),
                      verify=lambda: bench.step("verify", signed, "--key", f"{bench.key}.pub.pem"))
    return ratio(f"verify, against openssl dgst ({best['openssl']:.2f} s)", best["openssl"], best["verify"], 0.7)


def verify_against_gunzip(bench):
    signed = bench.capsules["large"][2]
    best = bench.race(gunzip=lambda: bench.shell(f"gunzip -c {signed} | sha256sum"),
                      verify=lambda: bench.step("verify", signed, "--key", f"{bench.key}.pub.pem"))
    return ratio(f"verify, against gunzip | sha256sum ({best['gunzip']:.2f} s)", best["gunzip"], best["verify"], 4)


def sign_speed(bench):
    package, copy = bench.capsules["large"][1], bench.folder / "signing.tar.gz"
    total = []

    def sign():
        for suffix in ("", ".sigstore.json", ".oci.sigstore.json", ".oci.json"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(package, copy)
        os.sync()
        began = time.monotonic()
        bench.step("sign", copy, "--key", f"{bench.key}.pem")
        total.append(time.monotonic() - began)

    best = bench.race(openssl=lambda: bench.shell(f"openssl dgst -sha256 {package}"), sign=sign)
    copy.unlink()
    return ratio(f"sign with both bundles, against openssl dgst ({best['openssl']:.2f} s)", best["openssl"], min(total), 0.4)


def memory_of(step, arguments):
    def measure(bench):
        peaks = []
        for name, mib in (("small", 10), ("large", bench.mib)):
            if name not in bench.capsules:
                bench.make_capsule(name, mib)
            code, peak = peak_memory(step, *arguments(bench, *bench.capsules[name]))
            assert code == 0, (step, code)
            peaks.append(peak / MIB)
        return Row(f"{step}: peak memory at 10 MiB and at {bench.mib} MiB", " / ".join(f"{peak:.1f} MiB" for peak in peaks), "<= 24 MiB",
                   max(peaks) <= 24)
    return measure


def pack_memory(bench, folder, _package, _signed):
    (bench.folder / "memory.tar.gz").unlink(missing_ok=True)
    return [folder, "--out", bench.folder / "memory.tar.gz"]


def sign_memory(bench, _folder, package, _signed):
    copy = bench.folder / "memory-sign.tar.gz"
    for path in bench.folder.glob("memory-sign.tar.gz*"):
        path.unlink()
    shutil.copyfile(package, copy)
    return [copy, "--key", f"{bench.key}.pem"]


def publish_memory(bench, _folder, _package, signed):
    shutil.rmtree(bench.folder / "registry", ignore_errors=True)
    return [signed, "--key", f"{bench.key}.pub.pem", "--registry", f"oci-layout:{bench.folder / 'registry'}"]


def start_of(step, milliseconds, mebibytes):
    def measure(bench):
        best = min(bench.race(start=lambda: bench.step(step, "--version"))["start"] for _ in range(10)) * 1000
        _, peak = peak_memory(step, "--version")
        return Row(f"{step} --version", f"{best:.1f} ms, {peak / MIB:.1f} MiB", f"<= {milliseconds} ms, <= {mebibytes} MiB",
                   best <= milliseconds and peak <= mebibytes * MIB)
    return measure


ROWS = [
    pack_speed,
    verify_speed,
    verify_against_gunzip,
    sign_speed,
    memory_of("pack", pack_memory),
    memory_of("sign", sign_memory),
    memory_of("verify", lambda bench, _folder, _package, signed: [signed, "--key", f"{bench.key}.pub.pem"]),
    memory_of("publish", publish_memory),
    *(start_of(step, 5, 9) for step in ("pack", "sign")),
    # These may have to reach a registry, and load libcurl.
    *(start_of(step, 12, 14) for step in ("verify", "download", "publish", "deploy", "generate-proof", "anchor", "register", "run")),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where the files go [a temporary folder]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(folder, arguments.mib, arguments.rounds)
        return report(measure(bench) for measure in ROWS)


if __name__ == "__main__":
    sys.exit(main())
