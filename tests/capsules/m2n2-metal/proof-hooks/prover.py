"""Finds bisection certificates: trees that show, box by box, that a `forall` claim holds everywhere.

The certificate is a string in preorder: `.` is a box on which interval arithmetic proves the claim, a letter (`a` for the first
variable in sorted order) halves its variable at lo * 0.5 + hi * 0.5; the lower half comes first.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from expressions import Claims, ExpressionError, compile_points
from intervals import BoxFunction, Undecided, compile_intervals

MAX_NODES = 10_000_000
MAX_DEPTH = 200
# Kept between the two sides of a leaf, so that another C library's last bits change nothing.
MARGIN = 1e-9
PROBES = 1_000
FIRST_STEP, LAST_STEP = 0.1, 1e-4  # In parts of a variable's range.


class ClaimFails(Exception):
    """A claim that does not hold, or that could not be proven; says by how much or why."""


def check_compare(claim: Mapping[str, Any], claims: Claims) -> None:
    """Raise ClaimFails unless a `compare` claim, with the record's values put in, can hold. The verifier has the last word."""
    name, relation, tolerance = claim["name"], claim["relation"], float(claim.get("tolerance", 0.0))
    bound = [{"at": {}, "value": claim[side]} for side in ("left", "right")]  # No variable is in scope.
    try:
        left, right = compile_intervals(bound, claims)([0.0] * len(claims.names), [0.0] * len(claims.names))
    except Undecided as fault:
        raise ClaimFails(f"claim {name}: cannot be evaluated: {fault}") from None
    if relation == "=":
        excess = max(left[1] - right[0], right[1] - left[0]) - tolerance
    elif relation in ("<=", "<"):
        excess = left[0] - right[1] - tolerance
    else:
        raise ExpressionError(f"claim {name}: unknown relation {relation!r}")
    if not excess <= 0.0:
        raise ClaimFails(f"claim {name} fails: {left[0]!r} {relation} {right[0]!r} is missed by {excess:.3g}")


def prove_forall(claim: Mapping[str, Any], claims: Claims) -> str:
    """The certificate of a `forall` claim with the record's values put in. Raises ClaimFails."""
    sides = [claim["left"], claim["right"]]
    points, boxes = compile_points(sides, claims), compile_intervals(sides, claims)
    low = [variable.low for variable in claims.variables]
    high = [variable.high for variable in claims.variables]

    def excess(point: Sequence[float]) -> float:
        left, right = points(point)
        return left - right

    def must_hold_at(point: Sequence[float]) -> None:
        if excess(point) > 0.0:
            where = ", ".join(f"{name} = {value:.6g}" for name, value in zip(claims.names, point))
            raise ClaimFails(f"claim {claim['name']} fails by {excess(point):.3g} at {where}")

    must_hold_at(_worst_point(excess, low, high))
    return _bisect(claim["name"], boxes, must_hold_at, low, high)


def _worst_point(excess: Callable[[Sequence[float]], float], low: list[float], high: list[float]) -> list[float]:
    """Where the claim looks weakest: the best of some random points, then steps along the axes, halved when none helps."""
    draw = random.Random(1).random
    point = max(([a + draw() * (b - a) for a, b in zip(low, high)] for _ in range(PROBES)), key=excess)
    step = FIRST_STEP
    while step > LAST_STEP:
        moves = [
            _replaced(point, index, min(max(point[index] + sign * step * (b - a), a), b))
            for index, (a, b) in enumerate(zip(low, high))
            for sign in (1, -1)
        ]
        best = max(moves, key=excess)
        if excess(best) > excess(point):
            point = best
        else:
            step *= 0.5
    return point


def _bisect(
    name: str, boxes: BoxFunction, must_hold_at: Callable[[Sequence[float]], None], low: list[float], high: list[float]
) -> str:
    """Branch and bound, depth first, the lower half before the upper one."""
    tree: list[str] = []
    waiting = [(low, high, 0)]
    while waiting:
        low, high, depth = waiting.pop()
        if _proven(boxes, low, high):
            tree.append(".")
            continue
        middle = [a * 0.5 + b * 0.5 for a, b in zip(low, high)]
        must_hold_at(middle)
        if depth >= MAX_DEPTH or len(tree) + len(waiting) >= MAX_NODES:
            raise ClaimFails(f"claim {name}: no certificate of {MAX_NODES} nodes and depth {MAX_DEPTH} was found")
        split = max(range(len(low)), key=lambda index: _spread(boxes, low, middle, high, index))
        tree.append(chr(ord("a") + split))
        waiting.append((_replaced(low, split, middle[split]), high, depth + 1))
        waiting.append((low, _replaced(high, split, middle[split]), depth + 1))
    return "".join(tree)


def _spread(boxes: BoxFunction, low: list[float], middle: list[float], high: list[float], index: int) -> float:
    """How wide both sides are when only one variable has its width: how much its halving promises."""
    try:
        sides = boxes(_replaced(middle, index, low[index]), _replaced(middle, index, high[index]))
    except Undecided:
        return math.inf
    return sum(upper - lower for lower, upper in sides)


def _replaced(values: list[float], index: int, value: float) -> list[float]:
    copy = values.copy()
    copy[index] = value
    return copy


def _proven(boxes: BoxFunction, low: list[float], high: list[float]) -> bool:
    try:
        left, right = boxes(low, high)
    except Undecided:
        return False
    return left[1] <= right[0] - MARGIN
