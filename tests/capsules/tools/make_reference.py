#!/usr/bin/env python3
"""Makes the sample capsule's simulation/reference.json, once: the file is part of the source.

The best known process point comes from a fine pattern search from the middle of the box; the samples are drawn there by
simulation/reference.py with the seed that the file names: the first of a row of seeds whose mean lies close to that of a long
pilot run, so that the file stands for its distribution and not for one draw's luck.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from statistics import fmean, stdev

from sample_capsule import CAPSULE, out_option, write_file

import reference  # noqa: E402  (sample_capsule sets the path)
from expressions import Claims, compile_points, load_claims  # noqa: E402

SAMPLES = 320
PILOT = 20_000
CLOSE = 0.25  # Standard errors of the mean.
DIGITS = 5  # Of a nominal value: the objective is flat there, so that more would be the C library's noise.


def best_point(claims: Claims) -> list[float]:
    """The point of the box with the best score, by coordinate steps that are halved when none helps."""
    score = compile_points(["score"], claims)
    point = [(variable.low + variable.high) / 2 for variable in claims.variables]
    step = 0.1
    while step > 1e-9:
        moves = [
            [*point[:index], min(max(point[index] + sign * step * (v.high - v.low), v.low), v.high), *point[index + 1 :]]
            for index, v in enumerate(claims.variables)
            for sign in (1, -1)
        ]
        best = max(moves, key=score)
        if score(best) > score(point):
            point = best
        else:
            step /= 2
    return [float(f"{value:.{DIGITS}g}") for value in point]


def representative(simulate: Callable[[int, str], list[float]]) -> tuple[str, list[float]]:
    """A seed and its samples, from `simulate(count, seed)`."""
    pilot = simulate(PILOT, "m2n2 pilot")
    limit = CLOSE * stdev(pilot) / math.sqrt(SAMPLES)
    for number in itertools.count(1):
        seed = f"m2n2 reference {number}"
        samples = simulate(SAMPLES, seed)
        if abs(fmean(samples) - fmean(pilot)) < limit:
            return seed, samples
    raise AssertionError("unreachable")


def main() -> None:
    out = out_option("Make the sample capsule's simulation/reference.json.")
    claims = load_claims(CAPSULE / "proof-hooks" / "claims.json")
    yield_mpa = compile_points(["yield_mpa"], claims)
    nominal = dict(zip(claims.names, best_point(claims), strict=True))

    def simulate(count: int, seed: str) -> list[float]:
        return reference.simulate(lambda made: yield_mpa([made[name] for name in claims.names])[0], nominal, count, seed)

    seed, samples = representative(simulate)
    document = {
        "description": "Yield strengths of simulated specimens made at the nominal process point; simulation/reference.py made them.",
        "unit": "MPa",
        "seed": seed,
        "nominal": nominal,
        "samples": samples,
    }
    write_file(out, (json.dumps(document, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
