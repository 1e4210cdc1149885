"""What SciPy says of samples.

    make_statistics.py       writes statistics.json, about samples that SplitMix64 makes; run by hand
    make_statistics.py -     [[left, right, seed, draws], ...] on stdin, a list of answers on stdout
"""

import json
import pathlib
import sys

import numpy
import scipy
from scipy.stats import ks_2samp

MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def index(self, n):
        return (self.next() * n) >> 64


def samples(seed, count, shift, grid):
    """Sums of four uniform numbers on a grid (a coarse one makes ties), shifted."""
    random = SplitMix64(seed)
    return [sum(random.index(grid) for _ in range(4)) / grid + shift for _ in range(count)]


def bootstrap(left, right, seed, draws):
    random = SplitMix64(seed)
    out = []
    for _ in range(draws):
        a = [left[random.index(len(left))] for _ in left]
        b = [right[random.index(len(right))] for _ in right]
        out.append(float(numpy.mean(a) - numpy.mean(b)))
    low, high = numpy.percentile(out, [2.5, 97.5])
    return {"low": float(low), "high": float(high)}


def statistics(left, right, seed, draws):
    n, m = len(left), len(right)
    ks = ks_2samp(left, right, method="exact")
    pooled = numpy.sqrt(((n - 1) * numpy.var(left, ddof=1) + (m - 1) * numpy.var(right, ddof=1)) / (n + m - 2))
    return {
        "d": float(ks.statistic), "p": float(ks.pvalue),
        "cohens_d": float((numpy.mean(left) - numpy.mean(right)) / pooled),
        "seed": seed, "draws": draws, "bootstrap": bootstrap(left, right, seed, draws),
    }


def case(n, m, shift, grid, draws):
    left, right = samples(n * 1000 + m, n, shift, grid), samples(m * 7 + 1, m, 0.0, grid)
    return {"n": n, "m": m, "shift": shift, "grid": grid, **statistics(left, right, n + m, draws)}


CASES = [
    (2, 2, 0.0, 1 << 40, 100), (3, 5, 0.2, 1 << 40, 100), (10, 10, 0.0, 8, 100), (20, 31, 0.5, 1 << 40, 500),
    (50, 50, 0.1, 1 << 40, 2000), (64, 48, 0.3, 16, 500), (100, 100, 1.0, 1 << 40, 500), (200, 300, 0.05, 1 << 40, 200),
    (500, 500, 0.0, 1 << 40, 100), (1000, 999, 0.02, 1 << 40, 50), (2000, 3000, 0.05, 1 << 40, 10),
    (10000, 10000, 0.01, 1 << 40, 2),
]

if __name__ == "__main__" and sys.argv[1:] == ["-"]:
    json.dump([statistics(*asked) for asked in json.load(sys.stdin)], sys.stdout)
elif __name__ == "__main__":
    out = {"scipy": scipy.__version__, "cases": [case(*c) for c in CASES]}
    random = SplitMix64(1234567)
    out["splitmix64"] = {"seed": 1234567, "next": [str(random.next()) for _ in range(5)]}
    path = pathlib.Path(__file__).with_name("statistics.json")
    path.write_text(json.dumps(out, indent=1) + "\n")
