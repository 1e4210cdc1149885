"""Interval arithmetic over the instructions of expressions.lower, every bound moved outward.

The bounds are never tighter than those of a checker that rounds correctly: a float is moved by one ulp after +, -, *, / and
sqrt (round-to-nearest is off by half an ulp at most), by four after exp and log (the C library promises one or two). What has no
value on the whole box (a root of something negative, a division by zero) raises `Undecided`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from expressions import Claims, Instruction, lower

INFINITY = math.inf
LIBRARY_ULPS = 4

Interval = tuple[float, float]


class Undecided(ArithmeticError):
    """Interval arithmetic has no answer here; a smaller box may have one."""


def down(value: float) -> float:
    return math.nextafter(value, -INFINITY)


def up(value: float) -> float:
    return math.nextafter(value, INFINITY)


def multiply(a: float, b: float, c: float, d: float) -> Interval:
    """[a, b] * [c, d] for any signs."""
    products = (a * c, a * d, b * c, b * d)
    return down(min(products)), up(max(products))


def divide(a: float, b: float, c: float, d: float) -> Interval:
    """[a, b] / [c, d]."""
    if c <= 0.0 <= d:
        raise Undecided("division by an interval that holds zero")
    quotients = (a / c, a / d, b / c, b / d)
    return down(min(quotients)), up(max(quotients))


def absolute(a: float, b: float) -> Interval:
    if a >= 0.0:
        return a, b
    if b <= 0.0:
        return -b, -a
    return 0.0, max(-a, b)


def square(a: float, b: float) -> Interval:
    low, high = absolute(a, b)
    return max(0.0, down(low * low)), up(high * high)


def root(a: float, b: float) -> Interval:
    if a < 0.0:
        raise Undecided("square root of an interval that reaches below zero")
    return max(0.0, down(math.sqrt(a))), up(math.sqrt(b))


def power(a: float, b: float, exponent: int) -> Interval:
    """[a, b] to an integer power, by repeated multiplication of the ends."""
    if exponent < 0:
        return divide(1.0, 1.0, *power(a, b, -exponent))
    if exponent % 2 == 0:
        a, b = absolute(a, b)
    low, high = (1.0, 1.0), (1.0, 1.0)
    for _ in range(exponent):
        low, high = multiply(*low, a, a), multiply(*high, b, b)
    return low[0], high[1]


def exponential(a: float, b: float) -> Interval:
    try:
        low, high = math.exp(a), math.exp(b)
    except OverflowError:
        raise Undecided("exp overflows") from None
    return max(0.0, widen(low, -INFINITY)), widen(high, INFINITY)


def logarithm(a: float, b: float) -> Interval:
    if a <= 0.0:
        raise Undecided("logarithm of an interval that reaches zero")
    return widen(math.log(a), -INFINITY), widen(math.log(b), INFINITY)


def widen(value: float, towards: float) -> float:
    for _ in range(LIBRARY_ULPS):
        value = math.nextafter(value, towards)
    return value


# l = lower bound, h = upper bound of an operand. The common case is written out, because a call costs more than the arithmetic.
_FORMS = {
    "add": "step(l{0} + l{1}, NEG), step(h{0} + h{1}, POS)",
    "sub": "step(l{0} - h{1}, NEG), step(h{0} - l{1}, POS)",
    "mul": "(max(0.0, step(l{0} * l{1}, NEG)), step(h{0} * h{1}, POS)) if l{0} >= 0.0 and l{1} >= 0.0"
    " else multiply(l{0}, h{0}, l{1}, h{1})",
    "div": "(max(0.0, step(l{0} / h{1}, NEG)), step(h{0} / l{1}, POS)) if l{0} >= 0.0 and l{1} > 0.0"
    " else divide(l{0}, h{0}, l{1}, h{1})",
    "neg": "-h{0}, -l{0}",
    "abs": "absolute(l{0}, h{0})",
    "min": "min(l{0}, l{1}), min(h{0}, h{1})",
    "max": "max(l{0}, l{1}), max(h{0}, h{1})",
    "sqrt": "root(l{0}, h{0})",
    "square": "square(l{0}, h{0})",
    "exp": "exponential(l{0}, h{0})",
    "log": "logarithm(l{0}, h{0})",
}


def _form(instruction: Instruction) -> str:
    if instruction.op == "const":
        return f"{instruction.value!r}, {instruction.value!r}"
    if instruction.op == "var":
        return f"low[{instruction.value}], high[{instruction.value}]"
    if instruction.op == "pow":
        return "power(l{0}, h{0}, {1})".format(instruction.operands[0], instruction.value)
    return _FORMS[instruction.op].format(*instruction.operands)


BoxFunction = Callable[[Sequence[float], Sequence[float]], tuple[Interval, ...]]


def compile_intervals(expressions: Sequence[Any], claims: Claims) -> BoxFunction:
    """One function from a box (lower corner, upper corner) to an enclosure of each expression's values on it."""
    code, results = lower(expressions, claims)
    lines = ["def enclose(low, high):"]
    lines += [f"    l{number}, h{number} = {_form(instruction)}" for number, instruction in enumerate(code)]
    lines.append(f"    return ({', '.join(f'(l{result}, h{result})' for result in results)},)")
    namespace: dict[str, Any] = {"step": math.nextafter, "NEG": -INFINITY, "POS": INFINITY}
    for function in (multiply, divide, absolute, square, root, power, exponential, logarithm):
        namespace[function.__name__] = function
    exec(compile("\n".join(lines), "<claims>", "exec"), namespace)  # noqa: S102
    return namespace["enclose"]
