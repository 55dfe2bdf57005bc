"""Where the decision flips: the value of each parameter at which brain data begin, or cease, to pay.

In: a decision. Out: one record per parameter: the threshold, the posterior probability of lying on its other side, a
sentence. What can go wrong: no flip within the range examined; the value is then ``None`` and the sentence says so.

The decision is whether to buy any brain data at the plan's budget. A parameter is set to the same value in every draw,
the others stay as the posterior has them; the best purchase with brain data is compared with labels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .decision import PAYS, Decision, advantage, thinned
from .parameters import columns, replaced, taken
from .prices import unit_prices

POINTS = 15
BISECTIONS = 8
_WIDE = 30.0
"""How far beyond the posterior's range, or the price, a threshold is looked for."""


@dataclass(frozen=True)
class Scale:
    """One parameter as it is moved."""

    name: str
    words: str
    """What it is called in a sentence."""
    grid: NDArray[np.float64]
    """Increasing values."""
    believed: NDArray[np.float64]
    """Draws of what it is."""
    unit: str = ""


def thresholds(decision: Decision, seed: int) -> list[dict[str, Any]]:
    """Return thresholds of alignment, signal-to-noise, label noise and prices."""
    found = [_record(scale, decision.buys, _flip(scale, _moved(decision, scale.name))) for scale in _scales(decision)]
    for scale, gain in _price_scales(decision, seed):
        found.append(_record(scale, decision.buys, _flip(scale, gain)))
    return found


def _scales(decision: Decision) -> list[Scale]:
    surface = decision.surface
    values = columns(surface.draws, surface.modalities)
    scales = [Scale("alignment", "the alignment", np.linspace(0.0, 0.99, POINTS), values["alignment"])]
    words = {"label_noise": "the label noise (its variance over the explainable variance)"}
    words |= {f"snr:{name}": f"the signal-to-noise ratio of one {name} sample" for name in surface.modalities}
    for name, said in words.items():
        low, high = np.quantile(values[name], [0.05, 0.95])
        grid = np.geomspace(max(low, 1e-6) / _WIDE, max(high, 1e-6) * _WIDE, POINTS)
        scales.append(Scale(name, said, grid, values[name]))
    return scales


def _moved(decision: Decision, name: str) -> Callable[[float], float]:
    """Return the advantage of brain data as a function of one parameter."""
    surface = decision.surface
    rows = np.arange(surface.n_draws)[thinned(surface.n_draws)]
    draws = taken(surface.draws, rows)

    def gain(value: float) -> float:
        return decision.advantage(decision.under(replaced(draws, surface.modalities, {name: value})))

    return gain


def _price_scales(decision: Decision, seed: int) -> list[tuple[Scale, Callable[[float], float]]]:
    """Return the prices of brain samples and of a label, with the advantage of brain data as a function of each."""
    names, currency = decision.surface.modalities, decision.problem.currency
    grid = np.geomspace(1 / _WIDE, _WIDE, POINTS)
    together = unit_prices(decision, seed)
    if together is None:
        return []
    kind = " and ".join(names) if len(names) < 3 else "brain"
    words = f"the price of one {kind} sample, all in,"
    first = Scale(
        "price_of_a_brain_sample", words, together.brain * grid, together.brain * together.brain_factor, currency
    )
    found = [(first, _priced(decision, together.brain, None))]
    for m, name in enumerate(names):
        alone = unit_prices(decision, seed, m)
        if alone is not None and len(names) > 1:
            words = f"the price of one {name} sample, all in,"
            believed = alone.brain * alone.brain_factor
            scale = Scale(f"price of a sample of {name}", words, alone.brain * grid, believed, currency)
            found.append((scale, _priced(decision, alone.brain, m)))
    believed = together.label * together.label_factor
    label = Scale("price_of_a_label", "the price of a label", together.label * grid, believed, currency)
    rows = thinned(decision.surface.n_draws)
    return [*found, (label, lambda price: _gain(decision.at_prices(1.0, price / together.label), rows))]


def _priced(decision: Decision, charged: float, modality: int | None) -> Callable[[float], float]:
    """Return the advantage of brain data as a function of the price of a sample."""
    rows = thinned(decision.surface.n_draws)
    return lambda price: _gain(decision.at_prices(price / charged, 1.0, modality), rows)


def _gain(other: Decision, rows: slice) -> float:
    return advantage(other.problem, other.designs, other.under(rows=rows), labels=0)


def _flip(scale: Scale, gain: Callable[[float], float]) -> tuple[float, bool] | None:
    """Return the flip nearest to what is believed, and whether brain data pay above it."""
    pays = np.array([gain(float(value)) > PAYS for value in scale.grid])
    flips = np.flatnonzero(pays[1:] != pays[:-1])
    if not flips.size:
        return None
    logarithmic = scale.grid[0] > 0
    place = np.log(scale.grid) if logarithmic else scale.grid
    middle = float(np.median(scale.believed))
    here = np.log(max(middle, scale.grid[0])) if logarithmic else middle
    i = int(flips[np.abs(0.5 * (place[flips] + place[flips + 1]) - here).argmin()])
    low, high = float(place[i]), float(place[i + 1])
    for _ in range(BISECTIONS):
        centre = 0.5 * (low + high)
        value = float(np.exp(centre)) if logarithmic else centre
        low, high = (centre, high) if (gain(value) > PAYS) == pays[i] else (low, centre)
    centre = 0.5 * (low + high)
    return (float(np.exp(centre)) if logarithmic else centre), bool(pays[i + 1])


def _record(scale: Scale, buys: bool, flip: tuple[float, bool] | None) -> dict[str, Any]:  # noqa: FBT001  (the plan's decision, a value)
    unit = f" {scale.unit}" if scale.unit else ""
    record: dict[str, Any] = {"parameter": scale.name, "unit": scale.unit, "decision": "brain" if buys else "labels"}
    if flip is None:
        ends = f"{_short(scale.grid[0])} to {_short(scale.grid[-1])}{unit}"
        verb = "pay" if buys else "do not pay"
        sentence = f"Brain data {verb} whatever {scale.words} is, from {ends}."
        return record | {"value": None, "probability_beyond": 0.0, "sentence": sentence}
    value, above = flip
    beyond_is_above = above != buys
    beyond = scale.believed > value if beyond_is_above else scale.believed < value
    probability = float(beyond.mean())
    where, other = ("above", "below") if above else ("below", "above")
    sentence = f"Brain data pay where {scale.words} is {where} {_short(value)}{unit}."
    far = where if beyond_is_above else other
    if np.ptp(scale.believed) <= 1e-9 * abs(value):
        sentence += f" It is {_short(float(scale.believed[0]))}{unit}."
    else:
        sentence += f" The probability that it is {far} is {_chance(probability)}."
    return record | {"value": value, "probability_beyond": probability, "sentence": sentence}


def _short(value: float) -> str:
    """Write a number with three digits, no exponent."""
    digits = 3 if abs(value) < 1000 else len(str(int(abs(value))))
    return np.format_float_positional(float(f"{value:.{digits}g}"), trim="-") if abs(value) >= 1e-4 else f"{value:.1e}"


def _chance(probability: float) -> str:
    if probability < 0.005:
        return "under 1 %"
    return "over 99 %" if probability > 0.995 else f"{100 * probability:.0f} %"
