"""Where the decision flips: the value of each parameter and price at which brain data begin, or cease, to be worthwhile.

In: a decision. Out: one record per parameter: the threshold, the posterior probability of lying on its other side, a sentence.
Without a flip within the range examined the value is ``None``, and the sentence says so.

The decision is whether brain data gain what is worthwhile at the plan's budget. A parameter is set to the same value in every draw,
the others stay as the posterior has them; the best purchase with brain data is compared with labels alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainworth.design.common.records import with_fields
from brainworth.design.common.summaries import spread
from brainworth.design.decision.records.findings import Threshold
from brainworth.design.decision.records.plan import ROUNDING
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.parameters import draws_at, replaced
from brainworth.design.decision.sensitivity.prices import session_price, unit_prices

POINTS = 13
BISECTIONS = 8
_WIDE = 10.0
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


def thresholds(decision: Decision, seed: int, hours: Mapping[str, float] | None = None) -> list[Threshold]:
    """Return thresholds of alignment, signal-to-noise, label noise and prices, the likeliest to be crossed first.

    Parameters
    ----------
    decision : Decision
        The decision.
    seed : int
        Of believed prices.
    hours : mapping, optional
        Hours of a session, by modality, for the price of an hour; without, it is the price of a session.
    """
    found = [
        record_of(scale, decision, _flip(scale, decision, _moved(decision, scale.name))) for scale in _scales(decision)
    ]
    for scale, gain in [*_price_scales(decision, seed), *_session_scales(decision, seed, hours or {})]:
        found.append(record_of(scale, decision, _flip(scale, decision, gain)))
    return sorted(found, key=lambda row: -(row.probability_beyond or 0.0))


def _scales(decision: Decision) -> list[Scale]:
    surface = decision.surface
    values = decision.believed
    # Where the plan is for stimuli without the rest, nothing is left to explain at an alignment of zero.
    least = 0.01 if 0.0 in (surface.shifts or (surface.shift,)) else 0.0
    alignments = np.linspace(least, 0.99, POINTS)
    scales = [Scale("alignment", "the alignment of task and brain", alignments, values["alignment"])]
    words = {"label_noise": "the label noise (variance of the noise over that of the predictable part)"}
    words |= {f"snr:{name}": f"the signal-to-noise ratio of one {name} sample" for name in surface.modalities}
    for name, said in words.items():
        low, high = np.quantile(values[name], [0.05, 0.95])
        grid = np.geomspace(max(low, 1e-6) / _WIDE, max(high, 1e-6) * _WIDE, POINTS)
        scales.append(Scale(name, said, grid, values[name]))
    return scales


def _moved(decision: Decision, name: str) -> Callable[[float], float]:
    """Return the advantage of brain data as a function of one parameter."""
    surface = decision.surface
    draws = draws_at(surface.draws, np.arange(surface.n_draws)[decision.few])

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
            scale = Scale(f"price_of_a_sample:{name}", words, alone.brain * grid, believed, currency)
            found.append((scale, _priced(decision, alone.brain, m)))
    believed = together.label * together.label_factor
    label = Scale("price_of_a_label", "the price of a label", together.label * grid, believed, currency)
    return [*found, (label, lambda price: _gain(decision.at_prices(1.0, price / together.label)))]


def _session_scales(
    decision: Decision, seed: int, hours: Mapping[str, float]
) -> list[tuple[Scale, Callable[[float], float]]]:
    """Return the price of an hour or a session of each modality, with the advantage of brain data as a function of it."""
    found: list[tuple[Scale, Callable[[float], float]]] = []
    for m, name in enumerate(decision.surface.modalities):
        price = session_price(decision, m, seed, hours.get(name))
        if price is None:
            continue
        grid = price.charged * np.geomspace(1 / _WIDE, _WIDE, POINTS)
        words = f"the price of {'an hour' if price.unit == 'hour' else 'a session'} of {name}"
        scale = Scale(f"price_of_{price.unit}:{name}", words, grid, price.believed, decision.problem.currency)

        def gain(value: float, m: int = m, charged: float = price.charged) -> float:
            return _gain(decision.at_session_price(value / charged, m))

        found.append((scale, gain))
    return found


def _priced(decision: Decision, charged: float, modality: int | None) -> Callable[[float], float]:
    """Return the advantage of brain data as a function of the price of a sample."""
    return lambda price: _gain(decision.at_prices(price / charged, 1.0, modality))


def _gain(other: Decision) -> float:
    return other.advantage(other.under(rows=other.few))


def _flip(scale: Scale, decision: Decision, gain: Callable[[float], float]) -> tuple[float, bool] | None:
    """Return the flip nearest to what is believed, and whether brain data pay above it."""
    pays = np.array([decision.pays(gain(float(value))) for value in scale.grid])
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
        low, high = (centre, high) if decision.pays(gain(value)) == pays[i] else (low, centre)
    centre = 0.5 * (low + high)
    return (float(np.exp(centre)) if logarithmic else centre), bool(pays[i + 1])


def record_of(scale: Scale, decision: Decision, flip: tuple[float, bool] | None) -> Threshold:
    """Return the record of one threshold: where brain data pay, and how probable the other side is.

    Parameters
    ----------
    scale : Scale
        The quantity.
    decision : Decision
        Whether brain data pay as things are believed, and what counts as paying.
    flip : tuple, optional
        The value at which the decision flips, and whether brain data pay above it; None if it does not flip.
    """
    unit, buys, least = f" {scale.unit}" if scale.unit else "", decision.pays_now, decision.stakes.least
    record = Threshold(
        parameter=scale.name,
        unit=scale.unit,
        decision="brain" if buys else "labels",
        worthwhile=least if least > ROUNDING else 0.0,
        believed=spread(scale.believed),
        pays=None,
        value=None,
        probability_beyond=0.0,
    )
    enough = f"gain at least {least:g} in explainable R²" if least > ROUNDING else "pay"
    if flip is None:
        ends = f"{shortly(scale.grid[0])} to {shortly(scale.grid[-1])}{unit}"
        less = f"gain less than {least:g} in explainable R²" if least > ROUNDING else "do not pay"
        sentence = f"New brain data {enough if buys else less} whatever {scale.words} is, from {ends}."
        return with_fields(record, sentence=sentence)
    value, above = flip
    beyond_is_above = above != buys
    beyond = scale.believed > value if beyond_is_above else scale.believed < value
    probability = float(beyond.mean())
    where = "above" if above else "below"
    sentence = f"New brain data {enough} where {scale.words} is {where} {shortly(value)}{unit}."
    far = "above" if beyond_is_above else "below"
    if np.ptp(scale.believed) <= 1e-9 * abs(value):
        sentence += f" It is {shortly(float(scale.believed[0]))}{unit}."
    else:
        sentence += f" The probability that it is {far} is {_chance(probability)}."
    return with_fields(record, value=value, pays=where, probability_beyond=probability, sentence=sentence)


def shortly(value: float) -> str:
    """Write a number with two digits, three from 100, no exponent."""
    digits = 2 if abs(value) < 100 else max(3, len(str(int(abs(value)))))
    rounded = float(f"{value:.{digits}g}")
    if abs(value) >= 1000:
        return f"{rounded:,.0f}"
    return np.format_float_positional(rounded, trim="-") if value == 0 or abs(value) >= 1e-4 else f"{value:.1e}"


def _chance(probability: float) -> str:
    if probability < 0.005:
        return "under 1\N{NO-BREAK SPACE}%"
    return "over 99\N{NO-BREAK SPACE}%" if probability > 0.995 else f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"
