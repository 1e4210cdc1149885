"""The reference simulation: tensile tests of specimens made by a process that is never exactly on target.

The material law is the caller's (the yield strength of proof-hooks/claims.json); this file adds what a workshop adds: furnace,
quench and rolling drift from specimen to specimen, a spread of grain sizes within each specimen, and the load cell. The runner
simulates the material that it found; `samples` of reference.json were made the same way, once, at the best known process
point, with the seed that stands in the file. An honest run therefore draws from the reference's own distribution.

The thresholds in claims.json: an honest run's samples come from the reference's distribution, so that its Kolmogorov-Smirnov p is
spread over 0..1 and min_p = 0.001 would reject one seed in a thousand if the reference were one draw's luck. It is not (its mean
is that of a long pilot run, see where it was made): of 6,000 seeds the smallest p was 0.011. With 240 against 320 samples
Cohen's d has a standard error of 0.085, so that max_effect_size = 0.5 is 5.8 of them, one seed in 10^8. A material that is off
by half a standard deviation has a p of about 1e-7: the first threshold finds it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

# One standard deviation of the process from specimen to specimen, in the variables' units.
PROCESS_DEVIATION: Mapping[str, float] = {
    "anneal_temperature_k": 4.0,
    "cooling_rate_k_s": 0.8,
    "grain_size_um": 0.15,
    "solute_fraction": 0.0006,
    "strain": 0.012,
}
MAX_DRIFT = 3.0  # Standard deviations; a specimen beyond is scrapped by incoming inspection.
GRAINS_PER_SPECIMEN = 24
GRAIN_SPREAD = 0.25  # Standard deviation of the logarithm of the grain size within a specimen.
LOAD_CELL_ERROR = 0.004  # Relative standard deviation of one strength reading.
DECIMALS = 6  # Of a reading in MPa: far above the last bit of any C library's exp.


class Normal:
    """Standard normal draws by Box and Muller from random.Random.random(), the one draw whose sequence Python promises."""

    def __init__(self, seed: str) -> None:
        self._uniform = random.Random(seed).random

    def __call__(self) -> float:
        radius = math.sqrt(-2.0 * math.log(1.0 - self._uniform()))
        return radius * math.cos(2.0 * math.pi * self._uniform())

    def within(self, limit: float) -> float:
        """A draw whose absolute value is at most `limit`."""
        while abs(draw := self()) > limit:
            pass
        return draw


def effective_grain_size(mean_um: float, normal: Normal) -> float:
    """The single grain size (um) with the Hall-Petch strengthening of a specimen's grains, averaged over their volume."""
    volume = strengthening = 0.0
    for _ in range(GRAINS_PER_SPECIMEN):
        size = mean_um * math.exp(GRAIN_SPREAD * normal.within(MAX_DRIFT))
        volume += size**3
        strengthening += size**3 / math.sqrt(size)
    return (volume / strengthening) ** 2


def simulate(yield_mpa: Callable[[Mapping[str, float]], float], nominal: Mapping[str, float], count: int, seed: str) -> list[float]:
    """Yield strengths (MPa) of `count` specimens made at the nominal process point."""
    normal = Normal(seed)
    return [_specimen(yield_mpa, nominal, normal) for _ in range(count)]


def _specimen(yield_mpa: Callable[[Mapping[str, float]], float], nominal: Mapping[str, float], normal: Normal) -> float:
    made = {name: nominal[name] + PROCESS_DEVIATION[name] * normal.within(MAX_DRIFT) for name in sorted(nominal)}
    made["grain_size_um"] = effective_grain_size(made["grain_size_um"], normal)
    reading = yield_mpa(made) * (1.0 + LOAD_CELL_ERROR * normal())
    return round(reading, DECIMALS)
