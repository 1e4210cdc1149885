"""The sample capsule's proof: seconds for the whole of generate-proof (hook and second run included), and for the check of its bundle."""
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from loop import WAIVED, sample_capsule  # noqa: E402
from proof_maker import ProofMaker  # noqa: E402
from rows import Row, report  # noqa: E402
from steps import run  # noqa: E402


def timed(*arguments):
    began = time.monotonic()
    done = run(*arguments)
    assert done.code == 0, done
    return done, time.monotonic() - began


def rows(folder):
    Path(folder).chmod(0o755)
    maker = ProofMaker(folder)
    common = ["--trust", maker.trust, "--state", maker.state]
    published, _ = timed("publish", maker.package(sample_capsule(folder)), "--registry", f"oci-layout:{maker.registry}", *common)
    reference = published.result["reference"]
    deployed, _ = timed("deploy", "--allow-unmet", WAIVED, *common, "--", reference)
    proven, whole = timed("generate-proof", *maker.arguments(reference, deployed.result["run_record"]))
    boxes = next(claim["detail"] for claim in proven.result["claims"] if claim["detail"].startswith("proven on"))
    yield Row(f"the sample capsule's proof, {boxes}: generate-proof", f"{whole:.1f} s", "<= 20 s", whole <= 20)
    proof = ["--proof", proven.result["proof_bundle"], *common, "--", reference]
    check = min(timed("verify", *proof)[1] for _ in range(3))
    yield Row("its check, package included: verify --proof", f"{check:.2f} s", "<= 1 s", check <= 1)
    _, again = timed("verify", "--replay", *proof)
    yield Row("the same and the run made again: verify --proof --replay", f"{again:.1f} s", "<= 20 s", again <= 20)


def main():
    with tempfile.TemporaryDirectory() as folder:
        return report(rows(folder))


if __name__ == "__main__":
    sys.exit(main())
