"""The sample capsule's first run, cold and warm: milliseconds from start or claim to the result (the records' result_ms), in pairs."""
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
# The runner's default is 4,000 evaluations, half a second of a core: a run as long as that hides what loading costs.
BUDGETS = {"first answer, budget 10": 10, "budget 400": 400, "whole run, default budget": 0}


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
        """Of a new run."""
        done = run("deploy", "--new-run", "--budget", budget, "--allow-unmet", WAIVED, *self.common, "--", self.reference)
        assert done.code == 0, done
        digest = done.result["run_record"].partition(":")[2]
        record = json.loads((self.maker.registry / self.name / "blobs/sha256" / digest).read_text())
        return record["result_ms"], record["start"]["mode"]


def pair(cold, warm, budget):
    slow, first = cold.milliseconds(budget)
    fast, second = warm.milliseconds(budget)
    assert (first, second) == ("cold", "warm"), (first, second)
    return slow, fast


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        maker = ProofMaker(folder)
        cold, warm = Capsule(maker, folder, "cold", False), Capsule(maker, folder, "warm", True)
        try:
            print("| sample capsule's run | cold, ms | warm, ms | warm / cold | wanted |\n|---|---|---|---|---|")
            for what, budget in BUDGETS.items():
                pairs = [pair(cold, warm, budget) for _ in range(PAIRS)]
                slow, fast = (statistics.median(times) for times in zip(*pairs))
                ratio = statistics.median(fast / slow for slow, fast in pairs)
                print(f"| {what} | {slow:.0f} | {fast:.0f} | {ratio:.2f} | {f'≤ {GOAL}' if budget == 10 else '–'} |")
        finally:
            run("deploy", "delete", "warm", "--state", maker.state)


if __name__ == "__main__":
    main()
