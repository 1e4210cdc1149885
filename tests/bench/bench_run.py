#!/usr/bin/env python3
"""What capsule-run itself costs: the shipped loop whose seven steps do nothing, as tests/run has them. The loop with real steps has 1 s."""
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
from test_shipped import Shipped  # noqa: E402

ROUNDS = 7
GOAL = 0.2


def main():
    bench = Shipped("test_deploy_loop")
    bench.setUp()
    try:
        bench.file = bench.root / "workflows/loops/capsule-deploy-loop.yaml"
        seconds = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            bench.succeeds("-p", "source=x.tar.gz", "-p", "registry=oci-layout:/r")
            seconds.append(time.monotonic() - began)
    finally:
        bench.doCleanups()
    print(f"capsule-run of seven steps that do nothing: {statistics.median(seconds) * 1000:.0f} ms, wanted: ≤ {GOAL * 1000:.0f} ms")
    return statistics.median(seconds) > GOAL


if __name__ == "__main__":
    sys.exit(main())
