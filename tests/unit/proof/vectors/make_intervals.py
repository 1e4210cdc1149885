"""Writes intervals.json: exact values of random expressions at random points, as the two doubles around them.
Standard library only; run by hand."""

import decimal
import json
import math
import pathlib
import random
from fractions import Fraction

decimal.getcontext().prec = 400
SEED = 20


def around(value):
    """The largest double ≤ value and the smallest double ≥ value."""
    nearest = float(value)
    if Fraction(nearest) <= value:
        low = nearest
        high = nearest if Fraction(nearest) == value else math.nextafter(nearest, math.inf)
    else:
        low, high = math.nextafter(nearest, -math.inf), nearest
    return [low, high]


def transcendental(name, value):
    exact = decimal.Decimal(value.numerator) / decimal.Decimal(value.denominator)
    result = {"exp": exact.exp, "log": exact.ln, "sqrt": exact.sqrt}[name]()
    return Fraction(result)


def evaluate(expression, point):
    if isinstance(expression, (int, float)):
        return Fraction(expression)
    if isinstance(expression, str):
        return Fraction(point[expression])
    (name, operand), = expression.items()
    if name == "pow":
        return evaluate(operand[0], point) ** operand[1]
    values = [evaluate(o, point) for o in (operand if isinstance(operand, list) else [operand])]
    if name in ("exp", "log", "sqrt"):
        return transcendental(name, values[0])
    out = values[0]
    for value in values[1:]:
        out = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
               "div": lambda a, b: a / b, "min": min, "max": max}[name](out, value)
    return {"neg": lambda a: -a, "abs": abs, "square": lambda a: a * a}.get(name, lambda a: a)(out)


def number(rng):
    return rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-6, 6)


def expression(rng, depth):
    if depth == 0:
        return rng.choice(["x", "y", "z", number(rng)])
    name = rng.choice(["add", "sub", "mul", "div", "neg", "abs", "min", "max", "sqrt", "square", "pow", "exp", "log"])
    inner = lambda: expression(rng, rng.randint(0, depth - 1))
    if name in ("add", "mul", "min", "max"):
        return {name: [inner() for _ in range(rng.randint(1, 3))]}
    if name in ("sub", "div"):
        return {name: [inner(), inner()]}
    if name == "pow":
        return {name: [inner(), rng.randint(-5, 5)]}
    return {name: inner()}


def main():
    rng = random.Random(SEED)
    cases = []
    while len(cases) < 400:
        tree, point = expression(rng, rng.randint(1, 4)), {v: number(rng) for v in "xyz"}
        try:
            value = evaluate(tree, point)
            if value != 0 and not 1e-290 < abs(value) < 1e290:
                continue
        except (ZeroDivisionError, ValueError, OverflowError, decimal.DecimalException):
            continue
        cases.append({"expression": tree, "point": point, "around": around(value)})
    path = pathlib.Path(__file__).with_name("intervals.json")
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
