"""Statistics that say how well two sets of samples agree: the evidence of type sim_alignment.

D and p are those of SciPy's ks_2samp(method="exact"), ties included: p counts lattice paths, here in whole numbers, so that it is
exact to the last bit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
DRAWS = 2_000
TAIL = 0.025  # Of the bootstrap's draws on each side of the interval.


def kolmogorov_smirnov(run: Sequence[float], reference: Sequence[float]) -> tuple[float, float]:
    """The two-sample statistic D and its exact two-sided p."""
    n, m = len(run), len(reference)
    common = math.gcd(n, m)
    gap = _largest_gap(sorted(run), sorted(reference)) // common  # D times the least common multiple of n and m.
    return gap / (n // common * m), _exact_p(n, m, gap * common)


def _largest_gap(run: Sequence[float], reference: Sequence[float]) -> int:
    """The largest difference of the two empirical distribution functions, times n * m."""
    n, m = len(run), len(reference)
    return max(abs(bisect_right(run, x) * m - bisect_right(reference, x) * n) for x in {*run, *reference})


def _exact_p(n: int, m: int, gap: int) -> float:
    """The share of all paths from (0, 0) to (n, m) that touch |i * m - j * n| >= gap: SciPy's definition, exact."""
    if gap <= 0:
        return 1.0
    counts = [int(j * n < gap) for j in range(m + 1)]  # Paths to (0, j) that stay inside.
    for j in range(1, m + 1):
        counts[j] &= counts[j - 1]
    for i in range(1, n + 1):
        inside = 0
        for j in range(m + 1):
            inside = inside + counts[j] if abs(i * m - j * n) < gap else 0
            counts[j] = inside
    paths = math.comb(n + m, n)
    return (paths - counts[m]) / paths


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def cohens_d(run: Sequence[float], reference: Sequence[float]) -> float:
    """(mean of the run - mean of the reference) / pooled standard deviation."""
    n, m = len(run), len(reference)
    run_mean, reference_mean = mean(run), mean(reference)
    squares = math.fsum((x - run_mean) ** 2 for x in run) + math.fsum((x - reference_mean) ** 2 for x in reference)
    if squares == 0:
        raise ValueError("the samples do not vary, so that their effect size is not defined")
    return (run_mean - reference_mean) / math.sqrt(squares / (n + m - 2))


def split_mix(seed: int) -> Iterator[int]:
    """SplitMix64: whole numbers below 2**64."""
    state = seed & MASK
    while True:
        state = (state + GAMMA) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def bootstrap(run: Sequence[float], reference: Sequence[float], seed: int) -> tuple[float, float]:
    """The 95 % percentile interval of mean(run) - mean(reference); each draw resamples the run, then the reference."""
    n, m = len(run), len(reference)
    stream = split_mix(seed)
    differences = []
    for _ in range(DRAWS):
        run_sum = sum(run[(next(stream) * n) >> 64] for _ in range(n))
        reference_sum = sum(reference[(next(stream) * m) >> 64] for _ in range(m))
        differences.append(run_sum / n - reference_sum / m)
    differences.sort()
    return percentile(differences, TAIL), percentile(differences, 1.0 - TAIL)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Linear between the two nearest, as numpy's default."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
