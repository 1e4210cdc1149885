"""The expressions of proof-hooks/claims.json, lowered to straight-line code.

An expression is a JSON tree (numbers, names, `{"add": [...]}` and so on). `lower` turns one or several of them into a list of
numbered instructions in which every definition stands once; `compile_points` turns that list into one Python function over
floats. The runner calls that function, the proof hook turns the same instructions into interval arithmetic: the formula that is
proven is the formula that ran.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

MAX_INSTRUCTIONS = 10_000
MAX_DEPTH = 64

UNARY = frozenset({"neg", "abs", "sqrt", "square", "exp", "log"})
BINARY = frozenset({"sub", "div"})
NARY = frozenset({"add", "mul", "min", "max"})


class ExpressionError(ValueError):
    """An expression, a claims file or a record that is not what it should be."""


class Instruction(NamedTuple):
    """One step: `operands` are numbers of earlier steps; `value` is the constant, the variable's index or the exponent."""

    op: str
    operands: tuple[int, ...] = ()
    value: float | int | None = None


class Variable(NamedTuple):
    """A free variable and its closed range, in `unit`; empty where the claims file names none."""

    name: str
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class Claims:
    """A claims.json: its variables sorted by name, and its definitions, claims and variables as they stand."""

    variables: tuple[Variable, ...]
    definitions: Mapping[str, Any]
    claims: tuple[Mapping[str, Any], ...]
    variables_document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables)

    def of_record(self, record: Any) -> Claims:
        """The same with the record's numbers in the claims and the definitions."""
        return replace(self, definitions=with_record(self.definitions, record), claims=tuple(with_record(list(self.claims), record)))

    def __getitem__(self, claim: str) -> Mapping[str, Any]:
        for candidate in self.claims:
            if candidate["name"] == claim:
                return candidate
        raise ExpressionError(f"claims.json has no claim named {claim!r}")


def load_claims(path: Path) -> Claims:
    """Read a claims file, version 1."""
    document = json.loads(path.read_text("utf-8"))
    if document.get("version") != 1:
        raise ExpressionError(f"{path.name}: version {document.get('version')!r}, only 1 is known")
    variables = tuple(
        Variable(name, float(entry["min"]), float(entry["max"]), entry.get("unit", ""))
        for name, entry in sorted(document["variables"].items())
    )
    for variable in variables:
        if not variable.low < variable.high:
            raise ExpressionError(f"{path.name}: /variables/{variable.name}: min is not below max")
    return Claims(variables, document["definitions"], tuple(document["claims"]), document["variables"])


def record_value(record: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) names in the run record."""
    value = record
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ExpressionError(f"the run record has nothing at {pointer}") from None
    return value


def with_record(node: Any, record: Any) -> Any:
    """A copy of a claim or an expression with every `{"record": pointer}` replaced by the record's number."""
    if isinstance(node, dict):
        if node.keys() == {"record"}:
            value = record_value(record, node["record"])
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ExpressionError(f"the run record's {node['record']} is not a number")
            return value
        return {key: with_record(child, record) for key, child in node.items()}
    if isinstance(node, list):
        return [with_record(child, record) for child in node]
    return node


@dataclass
class _Lowering:
    """Builds the instruction list; equal instructions are shared."""

    claims: Claims
    code: list[Instruction] = field(default_factory=list)
    numbers: dict[Instruction, int] = field(default_factory=dict)

    def emit(self, op: str, operands: tuple[int, ...] = (), value: float | int | None = None) -> int:
        instruction = Instruction(op, operands, value)
        if instruction not in self.numbers:
            if len(self.code) >= MAX_INSTRUCTIONS:
                raise ExpressionError(f"more than {MAX_INSTRUCTIONS} operations")
            self.numbers[instruction] = len(self.code)
            self.code.append(instruction)
        return self.numbers[instruction]

    def expression(self, node: Any, scope: Mapping[str, int], depth: int = 0) -> int:
        """Lower one node; `scope` says which instruction each variable is."""
        if depth > MAX_DEPTH:
            raise ExpressionError(f"deeper than {MAX_DEPTH}: a definition may use itself")
        if isinstance(node, (int, float)) and not isinstance(node, bool):
            return self.emit("const", value=float(node))
        if isinstance(node, str):
            return self.name(node, scope, depth)
        if isinstance(node, dict) and node.keys() == {"at", "value"}:
            bound = {name: self.expression(value, {}, depth + 1) for name, value in node["at"].items()}
            return self.expression(node["value"], bound, depth + 1)
        if isinstance(node, dict) and len(node) == 1:
            ((op, arguments),) = node.items()
            return self.operation(op, arguments, scope, depth)
        raise ExpressionError(f"not an expression: {json.dumps(node)[:80]}")

    def name(self, name: str, scope: Mapping[str, int], depth: int) -> int:
        if name in scope:
            return scope[name]
        if name in self.claims.definitions:
            return self.expression(self.claims.definitions[name], scope, depth + 1)
        raise ExpressionError(f"unknown or unbound name {name!r}")

    def operation(self, op: str, arguments: Any, scope: Mapping[str, int], depth: int) -> int:
        if op in UNARY:
            return self.emit(op, (self.expression(arguments, scope, depth + 1),))
        if not isinstance(arguments, list) or not arguments:
            raise ExpressionError(f"{op}: a list of operands is wanted")
        if op == "pow" and len(arguments) == 2 and type(arguments[1]) is int:
            return self.emit("pow", (self.expression(arguments[0], scope, depth + 1),), arguments[1])
        operands = [self.expression(argument, scope, depth + 1) for argument in arguments]
        if op in BINARY and len(operands) == 2:
            return self.emit(op, (operands[0], operands[1]))
        if op in NARY:
            result = operands[0]
            for operand in operands[1:]:
                result = self.emit(op, (result, operand))
            return result
        raise ExpressionError(f"unknown operation {op!r}, or a wrong number of operands")


def lower(expressions: Sequence[Any], claims: Claims) -> tuple[list[Instruction], list[int]]:
    """Instructions for several expressions over the claims' variables, and the number of each expression's result."""
    lowering = _Lowering(claims)
    scope = {name: lowering.emit("var", value=index) for index, name in enumerate(claims.names)}
    results = [lowering.expression(expression, scope) for expression in expressions]
    return lowering.code, results


_POINT_FORMS = {
    "add": "v{0} + v{1}",
    "sub": "v{0} - v{1}",
    "mul": "v{0} * v{1}",
    "div": "v{0} / v{1}",
    "neg": "-v{0}",
    "abs": "abs(v{0})",
    "min": "min(v{0}, v{1})",
    "max": "max(v{0}, v{1})",
    "sqrt": "sqrt(v{0})",
    "square": "v{0} * v{0}",
    "exp": "exp(v{0})",
    "log": "log(v{0})",
}


def _point_form(instruction: Instruction) -> str:
    if instruction.op == "const":
        return repr(instruction.value)
    if instruction.op == "var":
        return f"x[{instruction.value}]"
    if instruction.op == "pow":
        return f"v{instruction.operands[0]} ** {instruction.value}"
    return _POINT_FORMS[instruction.op].format(*instruction.operands)


def compile_points(expressions: Sequence[Any], claims: Claims) -> Callable[[Sequence[float]], tuple[float, ...]]:
    """One function from the variables' values, in the order of `claims.names`, to the expressions' values.

    The source handed to `exec` is made of our own forms, numbers and indices only; no text of the claims file reaches it.
    """
    code, results = lower(expressions, claims)
    lines = ["def evaluate(x):"]
    lines += [f"    v{number} = {_point_form(instruction)}" for number, instruction in enumerate(code)]
    lines.append(f"    return ({', '.join(f'v{result}' for result in results)},)")
    namespace: dict[str, Any] = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt}
    exec(compile("\n".join(lines), "<claims>", "exec"), namespace)  # noqa: S102
    return namespace["evaluate"]
