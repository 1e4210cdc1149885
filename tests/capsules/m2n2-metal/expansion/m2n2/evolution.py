"""Evolution by merging, after M2N2 (model merging of natural niches).

The models that are merged are process recipes: vectors of the claims' variables, each scaled to 0..1. Three ideas carry over:

* split points evolve: a child takes its genes before the split from a blend of its parents, those after it from the mirrored
  blend, and inherits the split with a small change;
* competition for limited resources: each property target (strength, ductility, ...) is a resource of one unit, which is shared
  by all who meet it; who is good at what the others neglect lives, and so niches form;
* attraction: the second parent is chosen for being good at what the first is bad at.

The archived parents and the surrogate that ranks children before they are evaluated come from model.pt. What is left of the
budget at the end goes into a pattern search around the best recipe.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from weights import Tensor, WeightsError

Genome = tuple[float, ...]
Evaluate = Callable[[Genome], tuple[float, ...]]  # The score, then one value in 0..1 per resource.

CHILDREN_PER_PLACE = 3  # Children that are bred for each one that is evaluated.
UNRANKED_SHARE = 0.25  # Part of the evaluated children that the surrogate has no say in.
SEARCH_SHARE = 0.7  # Part of the budget for evolution; the pattern search gets the rest.
FIRST_STEP, LAST_STEP = 0.02, 1e-7  # Of the pattern search, in parts of a variable's range.
SPLIT_CHANGE = 1.0  # Largest change of an inherited split point, in genes.
FEW = 1e-9


@dataclass(frozen=True)
class Settings:
    """What a run may be given in `parameters`."""

    population: int = 48
    batch_size: int = 24  # Children that are evaluated in one generation.
    mutation: float = 0.06  # Standard deviation of a gene's change in the first generation.


@dataclass(frozen=True)
class Recipe:
    """One member of the archive."""

    genome: Genome
    split: float  # In genes, from 0 to their number.
    score: float
    resources: tuple[float, ...]


@dataclass
class Surrogate:
    """A small network (dense, softsign, dense) that guesses a recipe's score."""

    hidden: list[tuple[tuple[float, ...], float]]
    output: tuple[float, ...]
    bias: float

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> Surrogate:
        hidden = list(zip(weights["surrogate.0.weight"].rows(), weights["surrogate.0.bias"].values, strict=True))
        return cls(hidden, weights["surrogate.2.weight"].rows()[0], weights["surrogate.2.bias"].values[0])

    def __call__(self, genome: Genome) -> float:
        total = self.bias
        for (row, bias), weight in zip(self.hidden, self.output):
            sum_ = bias
            for gene, factor in zip(genome, row):
                sum_ += gene * factor
            total += weight * sum_ / (1.0 + abs(sum_))
        return total


@dataclass(frozen=True)
class Model:
    """What model.pt holds: archived recipes with their split points, and the surrogate."""

    genomes: list[Genome]
    splits: tuple[float, ...]
    surrogate: Surrogate

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor], genes: int) -> Model:
        try:
            model = cls(weights["parents.genomes"].rows(), weights["parents.splits"].values, Surrogate.from_weights(weights))
        except (KeyError, ValueError, IndexError) as fault:
            raise WeightsError(f"model.pt: the tensors do not fit together: {fault}") from fault
        widths = {len(genome) for genome in model.genomes} | {len(row) for row, _ in model.surrogate.hidden}
        if widths != {genes} or len(model.splits) != len(model.genomes):
            raise WeightsError(f"model.pt: made for other variables than the {genes} of claims.json")
        return model


@dataclass
class Outcome:
    """The best recipe and how it was come by: the best score after each generation, in order."""

    best: Recipe
    evaluations: int
    history: list[float] = field(default_factory=list)


class Evolution:
    """One run, a function of the model, the settings, the seed and the budget (evaluations)."""

    def __init__(self, evaluate: Evaluate, model: Model, settings: Settings, seed: int, budget: int) -> None:
        self._evaluate = evaluate
        self._model = model
        self._settings = settings
        self._random = random.Random(f"m2n2 evolution {seed}").random
        self._budget = budget
        self._evaluations = 0
        self._archive: list[Recipe] = []
        self._history: list[float] = []

    def run(self) -> Outcome:
        self._found()
        search_budget = int(self._budget * SEARCH_SHARE)
        while self._evaluations < search_budget:
            self._generation(self._settings.mutation * (1.0 - self._evaluations / self._budget))
        best = self._refine(max(self._archive, key=lambda recipe: recipe.score))
        return Outcome(best, self._evaluations, self._history)

    def _left(self) -> int:
        return self._budget - self._evaluations

    def _recipe(self, genome: Genome, split: float) -> Recipe:
        self._evaluations += 1
        score, *resources = self._evaluate(genome)
        return Recipe(genome, split, score, tuple(resources))

    def _note(self, best: float) -> None:
        self._history.append(max(best, self._history[-1]) if self._history else best)

    def _found(self) -> None:
        """The first archive: the model's recipes, filled up with random ones."""
        genes = len(self._model.genomes[0])
        size = min(self._settings.population, self._budget)
        founders = list(zip(self._model.genomes, self._model.splits, strict=True))[:size]
        while len(founders) < size:
            founders.append((tuple(self._random() for _ in range(genes)), self._random() * genes))
        self._archive = [self._recipe(*founder) for founder in founders]
        self._note(max(recipe.score for recipe in self._archive))

    def _generation(self, mutation: float) -> None:
        """Breed, rank with the surrogate, evaluate, and let the archive compete."""
        places = min(self._settings.batch_size, self._left())
        demand = self._demand()
        fitness = [self._fitness(recipe, demand) for recipe in self._archive]
        children = [self._child(fitness, demand, mutation) for _ in range(places * CHILDREN_PER_PLACE)]
        unranked = int(places * UNRANKED_SHARE)
        ranked = sorted(children[unranked:], key=lambda child: self._model.surrogate(child[0]), reverse=True)
        self._archive += [self._recipe(*child) for child in children[:unranked] + ranked[: places - unranked]]
        self._compete()
        self._note(max(recipe.score for recipe in self._archive))

    def _demand(self) -> list[float]:
        """How much of each resource the archive asks for."""
        return [sum(column) + FEW for column in zip(*(recipe.resources for recipe in self._archive))]

    def _fitness(self, recipe: Recipe, demand: Sequence[float]) -> float:
        """A recipe's share of all resources, weighted by how good it is on the whole."""
        share = sum(value / wanted for value, wanted in zip(recipe.resources, demand))
        return share * recipe.score + FEW

    def _child(self, fitness: Sequence[float], demand: Sequence[float], mutation: float) -> tuple[Genome, float]:
        first = self._archive[self._draw(fitness)]
        second = self._archive[self._draw([self._attraction(first, other, demand) for other in self._archive])]
        genes = len(first.genome)
        split = min(max(first.split + SPLIT_CHANGE * (2.0 * self._random() - 1.0), 0.0), float(genes))
        blend = self._random()
        merged = (
            (a * blend + b * (1.0 - blend)) if index < split else (a * (1.0 - blend) + b * blend)
            for index, (a, b) in enumerate(zip(first.genome, second.genome))
        )
        return tuple(min(max(gene + mutation * self._bell(), 0.0), 1.0) for gene in merged), split

    def _attraction(self, first: Recipe, other: Recipe, demand: Sequence[float]) -> float:
        """How much `other` has of what `first` lacks; scarce resources count more."""
        gains = zip(first.resources, other.resources, demand)
        return sum(max(theirs - ours, 0.0) / wanted for ours, theirs, wanted in gains) + FEW

    def _draw(self, weights: Sequence[float]) -> int:
        """An index, with a probability in proportion to its weight."""
        sums = list(accumulate(weights))
        return min(bisect_left(sums, self._random() * sums[-1]), len(sums) - 1)

    def _bell(self) -> float:
        """A bell-shaped draw of mean 0 and deviation 1: the sum of three uniform ones."""
        return 2.0 * (self._random() + self._random() + self._random() - 1.5)

    def _compete(self) -> None:
        """Shrink the archive to its size: the least fit leaves, the best score always stays."""
        demand = self._demand()
        best = max(self._archive, key=lambda recipe: recipe.score)
        rest = sorted((r for r in self._archive if r is not best), key=lambda r: self._fitness(r, demand), reverse=True)
        self._archive = [best, *rest[: self._settings.population - 1]]

    def _refine(self, best: Recipe) -> Recipe:
        """Pattern search (Hooke and Jeeves): try steps along each gene, go on in a direction that helped, else halve the step."""
        step, base = FIRST_STEP, best
        while step > LAST_STEP and self._left() > 0:
            explored = self._explore(base, step)
            if explored.score <= base.score:
                step *= 0.5
                continue
            self._note(explored.score)
            while explored.score > base.score and self._left() > 0:
                leap = tuple(min(max(2.0 * e - b, 0.0), 1.0) for e, b in zip(explored.genome, base.genome))
                base, explored = explored, self._explore(self._recipe(leap, base.split), step)
            base = max(base, explored, key=lambda recipe: recipe.score)
        return base

    def _explore(self, around: Recipe, step: float) -> Recipe:
        for index in range(len(around.genome)):
            for change in (step, -step):
                if self._left() <= 0:
                    return around
                gene = min(max(around.genome[index] + change, 0.0), 1.0)
                tried = self._recipe(around.genome[:index] + (gene,) + around.genome[index + 1 :], around.split)
                if tried.score > around.score:
                    around = tried
                    break
        return around
