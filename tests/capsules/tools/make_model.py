#!/usr/bin/env python3
"""Makes the sample capsule's model.pt: searches for specialists, and trains the network that ranks children.

The same bytes come out on every machine: draws come from random.random() alone, sums, products and square roots are exact by
IEEE 754, every value of the objective (which needs the C library's exp and log) is rounded before it decides anything, and the
weights are rounded to a coarse grid.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from sample_capsule import CAPSULE, out_option, write_file
from torch_file import FloatTensor, torch_file

from expressions import compile_points, load_claims  # noqa: E402  (sample_capsule sets the path)
from runner import RESOURCES  # noqa: E402

SEED = 20251124
GRID = 4  # Decimals of a weight.
EXACT = 9  # Decimals of a loss that is compared.
HIDDEN = 12
EXAMPLES = 1200
EPOCHS = 30
RATE, DECAY, SECOND_DECAY = 0.01, 0.9, 0.999
SPECIALISTS_PER_FOCUS = 2
TRIALS = 160

Genome = list[float]


class Objective:
    """The claims' losses over genomes in 0..1."""

    def __init__(self) -> None:
        self._claims = load_claims(CAPSULE / "proof-hooks" / "claims.json")
        self._losses = compile_points(RESOURCES, self._claims)
        self.genes = len(self._claims.names)

    def losses(self, genome: Sequence[float]) -> list[float]:
        values = [v.low + gene * (v.high - v.low) for gene, v in zip(genome, self._claims.variables)]
        return [round(loss, EXACT) for loss in self._losses(values)]

    def score(self, genome: Sequence[float]) -> float:
        return 1.0 / (1.0 + sum(self.losses(genome)))


def specialist(objective: Objective, focus: Sequence[int], draw: Callable[[], float]) -> Genome:
    """A recipe that meets the targets in `focus` and has never been asked about the others."""

    def missed(genome: Genome) -> float:
        losses = objective.losses(genome)
        return sum(losses[index] for index in focus)

    best = [draw() for _ in range(objective.genes)]
    least = missed(best)
    for trial in range(TRIALS):
        width = 0.5 * (1.0 - trial / TRIALS)
        tried = [min(max(gene + width * (2.0 * draw() - 1.0), 0.0), 1.0) for gene in best]
        if (loss := missed(tried)) < least:
            best, least = tried, loss
    return [round(gene, GRID) for gene in best]


def specialists(objective: Objective, draw: Callable[[], float]) -> list[Genome]:
    """Two recipes for each pair of targets."""
    pairs = [(a, b) for a in range(len(RESOURCES)) for b in range(a)]
    return [specialist(objective, pair, draw) for pair in pairs for _ in range(SPECIALISTS_PER_FOCUS)]


class Network:
    """Dense, softsign, dense; trained with Adam on squared errors, one example at a time."""

    def __init__(self, inputs: int, draw: Callable[[], float]) -> None:
        self.inputs = inputs
        self.count = HIDDEN * (inputs + 2) + 1
        # One flat list: per hidden unit its row, then the biases, the output row and the output bias.
        self.weights = [2.0 * (2.0 * draw() - 1.0) for _ in range(HIDDEN * inputs)]
        self.weights += [draw() - 0.5 for _ in range(self.count - HIDDEN * inputs)]
        self._mean = [0.0] * self.count
        self._square = [0.0] * self.count
        self._steps = 0

    def gradient(self, genome: Sequence[float], wanted: float) -> list[float]:
        """Of half the squared error at one example."""
        rows, width = HIDDEN * self.inputs, self.inputs
        weights, units = self.weights, []
        guess = weights[-1]
        for unit in range(HIDDEN):
            total = weights[rows + unit]
            for index in range(width):
                total += weights[unit * width + index] * genome[index]
            scale = 1.0 / (1.0 + abs(total))
            units.append((total * scale, scale * scale))
            guess += weights[rows + HIDDEN + unit] * total * scale
        error = guess - wanted
        inner = [error * weights[rows + HIDDEN + unit] * slope for unit, (_, slope) in enumerate(units)]
        first = [part * gene for part in inner for gene in genome]
        return first + inner + [error * value for value, _ in units] + [error]

    def learn(self, genome: Sequence[float], wanted: float, rate: float) -> None:
        self._steps += 1
        for index, slope in enumerate(self.gradient(genome, wanted)):
            self._mean[index] = DECAY * self._mean[index] + (1.0 - DECAY) * slope
            self._square[index] = SECOND_DECAY * self._square[index] + (1.0 - SECOND_DECAY) * slope * slope
            self.weights[index] -= rate * self._mean[index] / (math.sqrt(self._square[index]) + 1e-8)

    def tensors(self) -> dict[str, FloatTensor]:
        rounded = [round(weight, GRID) for weight in self.weights]
        rows, width = HIDDEN * self.inputs, self.inputs
        return {
            "surrogate.0.weight": FloatTensor((HIDDEN, width), rounded[:rows]),
            "surrogate.0.bias": FloatTensor((HIDDEN,), rounded[rows : rows + HIDDEN]),
            "surrogate.2.weight": FloatTensor((1, HIDDEN), rounded[rows + HIDDEN : -1]),
            "surrogate.2.bias": FloatTensor((1,), rounded[-1:]),
        }


def train(objective: Objective, draw: Callable[[], float]) -> Network:
    genomes = [[draw() for _ in range(objective.genes)] for _ in range(EXAMPLES)]
    examples = [(genome, round(objective.score(genome), EXACT)) for genome in genomes]
    network = Network(objective.genes, draw)
    for epoch in range(EPOCHS):
        rate = RATE * (1.0 - epoch / EPOCHS)
        for genome, wanted in examples:
            network.learn(genome, wanted, rate)
    return network


def main() -> None:
    out = out_option("Make the sample capsule's model.pt.")
    objective, draw = Objective(), random.Random(SEED).random
    genomes = specialists(objective, draw)
    splits = [round(objective.genes * draw(), GRID) for _ in genomes]
    tensors = {
        "parents.genomes": FloatTensor((len(genomes), objective.genes), [gene for genome in genomes for gene in genome]),
        "parents.splits": FloatTensor((len(splits),), splits),
        **train(objective, draw).tensors(),
    }
    write_file(out, torch_file(tensors))


if __name__ == "__main__":
    main()
