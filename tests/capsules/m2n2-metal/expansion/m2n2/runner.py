#!/usr/bin/env python3
"""The capsule's entrypoint: evolves a metal recipe whose properties meet their targets.

Input, one JSON line on stdin: {"parameters": {...}, "seed": N, "budget": N}. `parameters` may set population, batch_size and
mutation (evolution.Settings); `budget` is the largest number of recipes that may be evaluated, 0 for the default. All three may
be left out.
Output, the last line of stdout, one JSON object; all of it but `measured` is a function of the input and of this capsule:

    params         the best recipe, in the units of proof-hooks/claims.json
    score          0..1, the `score` of claims.json at these parameters
    stability      0..1, the lowest score that is left when one variable drifts by one standard deviation of the process
    history        the best score after each generation and each success of the final search
    energy_joules  what the evaluations cost on a nominal 10 W core; the loader measures for itself
    samples        yield strengths (MPa) of simulated specimens of the recipe: simulation/reference.py
    evaluations, budget, seed   what was used
    measured       what this machine needed: wall_ms, cpu_ms

With CAPSULE_WARM=1 everything is loaded first, {"ready":true} is printed, then stdin is read. `--self-check` loads everything,
runs briefly and prints what it found.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True  # The capsule's folder stays as it was signed.
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).resolve().parent), str(ROOT / "simulation")]

import reference  # noqa: E402
from evolution import Evolution, Genome, Model, Settings  # noqa: E402
from expressions import ExpressionError, compile_points, load_claims, with_record  # noqa: E402
from weights import WeightsError, load_weights  # noqa: E402

RESOURCES = ("strength_loss", "ductility_loss", "distortion_loss", "recovery_loss", "alloying_loss")
DEFAULT_BUDGET = 4_000
MAX_BUDGET = 1_000_000
MAX_INPUT_BYTES = 1 << 20
MAX_SEED = 2**64 - 1
SAMPLES = 240
JOULES_PER_EVALUATION = 2e-4  # 20 us of a 10 W core.
DECIMALS = 9  # Of what is reported: far above the last bit of any C library's exp.
FEWEST = {"population": 2, "batch_size": 1, "mutation": 0}


class InputError(ValueError):
    """A request that cannot be run."""


class Runner:
    """All that is slow to load: the claims as code, the model, the simulation."""

    def __init__(self, root: Path) -> None:
        self._claims = load_claims(root / "proof-hooks" / "claims.json")
        self._names = self._claims.names
        self._ranges = [(variable.low, variable.high) for variable in self._claims.variables]
        self._properties = compile_points(["score", *RESOURCES], self._claims)
        self._yield = compile_points(["yield_mpa"], self._claims)
        self._model = Model.from_weights(load_weights(root / "expansion" / "m2n2" / "model.pt"), len(self._names))

    def run(self, settings: Settings, seed: int, budget: int) -> dict[str, Any]:
        """One run; see the module's text for what it returns."""
        wall, cpu = time.perf_counter(), time.process_time()
        outcome = Evolution(self._evaluate, self._model, settings, seed, budget).run()
        values = [round(value, DECIMALS) for value in self._scaled(outcome.best.genome)]
        params = dict(zip(self._names, values, strict=True))
        result = {
            "params": params,
            "score": round(self._properties(values)[0], DECIMALS),
            "stability": self._stability(params),
            "history": [round(score, DECIMALS) for score in outcome.history],
            "energy_joules": round(outcome.evaluations * JOULES_PER_EVALUATION, DECIMALS),
            "samples": reference.simulate(self._yield_mpa, params, SAMPLES, f"m2n2 specimens {seed}"),
            "evaluations": outcome.evaluations,
            "budget": budget,
            "seed": seed,
        }
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return result | {"measured": {"wall_ms": round(wall * 1e3, 3), "cpu_ms": round(cpu * 1e3, 3)}}

    def _scaled(self, genome: Genome) -> list[float]:
        """A genome in the variables' units."""
        return [low + gene * (high - low) for gene, (low, high) in zip(genome, self._ranges)]

    def _evaluate(self, genome: Genome) -> tuple[float, ...]:
        score, *losses = self._properties(self._scaled(genome))
        return (score, *(1.0 / (1.0 + loss) for loss in losses))

    def _yield_mpa(self, params: dict[str, float]) -> float:
        return self._yield([params[name] for name in self._names])[0]

    def _stability(self, params: dict[str, float]) -> float:
        """The lowest right side of the claims `stability-...`, rounded down: what they say then holds."""
        record = {"result": {"params": params}}
        drifted = [claim["right"] for claim in self._claims.claims if claim["name"].startswith("stability-")]
        scores = compile_points(with_record(drifted, record), self._claims)([0.0] * len(self._names))
        return math.floor(min(scores) * 10**DECIMALS - 1) / 10**DECIMALS


def read_request(line: str) -> tuple[Settings, int, int]:
    """Settings, seed and budget of an input line. Raises InputError."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise InputError(f"the input line is not JSON: {fault}") from None
    if not isinstance(request, dict):
        raise InputError("the input line is not a JSON object")
    given = {key: value for key, value in request.items() if value is not None}
    settings = read_settings(given.get("parameters", {}))
    seed = whole_number("seed", given.get("seed", 0), 0, MAX_SEED)
    budget = whole_number("budget", given.get("budget", 0), 0, MAX_BUDGET)
    return settings, seed, budget or DEFAULT_BUDGET


def read_settings(parameters: Any) -> Settings:
    """The settings that `parameters` asks for; a name that is not known is an error."""
    if not isinstance(parameters, dict):
        raise InputError("parameters: not a JSON object")
    known = {entry.name: type(entry.default) for entry in fields(Settings)}
    for name, value in parameters.items():
        if name not in known:
            raise InputError(f"parameters: {name!r} is not known; known are {', '.join(known)}")
        if known[name] is int:
            whole_number(name, value, FEWEST[name], 10_000)
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise InputError(f"parameters: {name} is not a number from 0 to 1")
    return Settings(**parameters)


def whole_number(name: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise InputError(f"{name}: not a whole number from {least} to {most}")
    return value


def print_line(value: dict[str, Any]) -> None:
    print(json.dumps(value, allow_nan=False, separators=(",", ":")), flush=True)


def self_check() -> dict[str, Any]:
    """Load all, run briefly twice, and compare: what the health check asks."""
    runner = Runner(ROOT)
    first, second = (runner.run(Settings(), seed=1, budget=400) for _ in range(2))
    del first["measured"], second["measured"]
    if first != second:
        raise InputError("self-check: two runs with one seed differ")
    if not 0.5 < first["stability"] <= first["score"] <= 1:
        raise InputError(f"self-check: score {first['score']} and stability {first['stability']} are not credible")
    return {"healthy": True, "score": first["score"]}


def main(arguments: list[str]) -> int:
    try:
        if arguments == ["--self-check"]:
            print_line(self_check())
            return 0
        if arguments:
            raise InputError(f"unknown argument {arguments[0]!r}; only --self-check is known")
        runner = Runner(ROOT)
        if os.environ.get("CAPSULE_WARM") == "1":
            print_line({"ready": True})
        line = sys.stdin.readline(MAX_INPUT_BYTES)
        print_line(runner.run(*read_request(line)))
        return 0
    except InputError as fault:
        print(f"runner.py: {fault}", file=sys.stderr)
        return 2
    except (ExpressionError, WeightsError, OSError) as fault:
        print(f"runner.py: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
