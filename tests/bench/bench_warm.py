"""The sample capsule's first run, cold and warm, in pairs: milliseconds from start or claim to the result (the records'
result_ms), and to the moment when the run's own work begins: result_ms less the time that the runner says its work took
(/result/measured/wall_ms), up to one too few, for the record rounds down. A pool takes away what comes before the work,
never the work: the goal is for that, and for the first answer of a run that has next to no work. Exit code 1 if it is
missed.
"""
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from loop import sample_capsule  # noqa: E402
from proof_maker import ProofMaker  # noqa: E402
from steps import run  # noqa: E402

WAIVED = "gpu:true,utid:hardware-bound"
PAIRS = 7
GOAL = 0.2
BUDGETS = {"a run of 10 evaluations": 10, "of 400": 400, "of 4,000, the default": 0}


class Capsule:
    """The sample capsule under a name of its own, with or without a warm pool."""

    def __init__(self, maker, folder, name, prewarm):
        self.maker = maker
        self.name = name
        source = sample_capsule(folder / name)
        manifest = json.loads((source / "capsule.json").read_text())
        (source / "capsule.json").write_text(json.dumps({**manifest, "name": name, "prewarm": prewarm}))
        self.common = ["--trust", maker.trust, "--state", maker.state]
        done = run("publish", maker.package(source), "--registry", f"oci-layout:{maker.registry}", *self.common)
        assert done.code == 0, done
        self.reference = done.result["reference"]

    def milliseconds(self, budget):
        """Of a new run: until the result, until its work begins."""
        done = run("deploy", "--new-run", "--budget", budget, "--allow-unmet", WAIVED, *self.common, "--", self.reference)
        assert done.code == 0, done
        digest = done.result["run_record"].partition(":")[2]
        record = json.loads((self.maker.registry / self.name / "blobs/sha256" / digest).read_text())
        assert record["start"]["mode"] == self.name, record["start"]
        return record["result_ms"], record["result_ms"] - record["result"]["measured"]["wall_ms"]


def line(what, pairs, wanted):
    """Prints one; returns whether its goal is missed."""
    slow, fast = (statistics.median(times) for times in zip(*pairs))
    ratio = statistics.median(fast / slow for slow, fast in pairs)
    print(f"| {what} | {slow:.1f} | {fast:.1f} | {ratio:.2f} | {f'≤ {GOAL}' if wanted else '–'} |")
    return wanted and ratio > GOAL


def main():
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        maker = ProofMaker(folder)
        cold, warm = Capsule(maker, folder, "cold", False), Capsule(maker, folder, "warm", True)
        try:
            print("| sample capsule's run | cold, ms | warm, ms | warm / cold | wanted |\n|---|---|---|---|---|")
            for what, budget in BUDGETS.items():
                pairs = [(cold.milliseconds(budget), warm.milliseconds(budget)) for _ in range(PAIRS)]
                until_result, until_work = zip(*(zip(*pair) for pair in pairs))
                missed += line(f"{what}: until its work begins", until_work, True)
                missed += line(f"{what}: until the result", until_result, budget == 10)
        finally:
            run("deploy", "delete", "warm", "--state", maker.state)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
