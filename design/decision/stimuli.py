"""Which stimuli to label or record next, and what the choice is worth against a random one.

In: a posterior with a pilot, candidate stimuli, how many to choose. Out: ``StimulusChoice``: a ranked table with marginal gains
and the expected risk after each, and the number of random stimuli that would bring as much. Errors: a study without a pilot,
a modality that the study does not have, more stimuli than the pool holds, groups that do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.build import codes
from brainworth.design.pilot.candidates import Candidates
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.stimulus_beliefs import Ground, label_beliefs, recording_beliefs
from brainworth.models.learner.choice import Beliefs, GreedyChoice, Pool, greedy_choice, random_path

if TYPE_CHECKING:
    import pandas as pd

    from brainworth.design.posterior.draws import PosteriorDraws

ORDERS = 20
"""Random orders of the candidates that a choice is compared with."""
_STEPS = (0.25, 0.5, 0.75, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Sizes of the random choices, relative to the choice."""


@dataclass(frozen=True)
class ChoiceOptions:
    """How stimuli are chosen."""

    modality: str | None = None
    """For recordings: the modality; the study's only one if not given."""
    repeats: int = 1
    """How often a stimulus may be chosen."""
    price_column: str | None = None
    """Column of a data frame of candidates that holds prices."""
    test: Float[np.ndarray, "stimulus feature"] | None = None
    """Raw features of the target stimuli; all stimuli of the study if not given."""
    seed: int = 0
    """Seed of the random choices."""


@dataclass(frozen=True)
class ChosenStimulus:
    """One row of the ranked table."""

    rank: int
    """Place in the order of choice, from 1; stimuli of one group share the place."""
    stimulus: str
    """Id."""
    group: str
    """Group that was chosen whole."""
    price: float
    """Price of one measurement."""
    gain: float
    """Drop of the expected risk by the group at its place, in squared units of a label."""
    expected_risk: float
    """Expected risk after it."""
    spent: float
    """Price of all measurements up to this place."""
    in_pilot: str
    """"labelled", "recorded", "labelled and recorded" or "stimulus" of the pilot; empty for a new stimulus."""


@dataclass(frozen=True)
class Spread:
    """Mean and 90 % interval."""

    mean: float
    q05: float
    q95: float

    @classmethod
    def of(cls, values: Float[np.ndarray, "*any"]) -> Spread:
        """Return mean and quantiles of values."""
        low, high = np.quantile(values, [0.05, 0.95])
        return cls(float(np.mean(values)), float(low), float(high))


@dataclass(frozen=True)
class AgainstRandom:
    """A choice compared with random choices from the same pool."""

    risk: Spread
    """Expected risk after a random choice of the same price; interval over posterior draws and random orders."""
    saved: Spread
    """Measurements that are saved: random ones that reach the same risk, less those chosen; at the mean price if prices differ."""
    beyond: float
    """Share of (draw, order) in which not even the largest random choice tried reaches the risk; ``saved`` is too low there."""
    count: tuple[float, ...]
    """Sizes of random choices, for a figure."""
    curve: tuple[float, ...]
    """Expected risk after each."""
    low: tuple[float, ...]
    """5 % quantile over random orders."""
    high: tuple[float, ...]
    """95 % quantile."""


@dataclass(frozen=True)
class StimulusChoice:
    """The next stimuli."""

    of: str
    """labels or recordings."""
    modality: str | None
    """Modality of the recordings."""
    rows: tuple[ChosenStimulus, ...]
    """Chosen stimuli in order."""
    risk_today: Spread
    """Expected risk before the choice, over posterior draws."""
    risk_after: Spread
    """Expected risk after it."""
    random: AgainstRandom
    """What random choices bring."""
    sentence: str
    """The result in words."""
    remarks: tuple[str, ...]
    """What was left out or is unusual."""

    def to_dataframe(self) -> pd.DataFrame:
        """Return the ranked table."""
        import pandas as pd

        return pd.DataFrame([vars(row) for row in self.rows])


def choose(
    posterior: PosteriorDraws,
    candidates: Candidates | pd.DataFrame,
    n: int,
    *,
    of: Literal["labels", "recordings"] = "labels",
    options: ChoiceOptions | None = None,
) -> StimulusChoice:
    """Return the next stimuli to label or record; ``api.Posterior.choose`` has the parameters.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    wish, study = options or ChoiceOptions(), posterior.study
    if not study.has_pilot:
        raise BadInput(
            f"{study.config.study.title}: stimuli can only be chosen for a study with a pilot of labelled stimuli, because the "
            "choice rests on what they leave unknown. Add stimuli and labels to the study file."
        )
    if of not in ("labels", "recordings"):
        raise BadInput(f"of: got {quoted(of)}. It must be 'labels' or 'recordings'.")
    if not isinstance(candidates, Candidates):
        candidates = Candidates.from_frame(candidates, study.names.features, wish.price_column, study.config.stimuli)
    check_size(candidates, n, wish.repeats)
    ground = Ground.of(posterior)
    target = ground.target(wish.test)
    seen = np.zeros(len(candidates.stimulus), dtype=np.int64)
    modality = None
    if of == "labels":
        beliefs = label_beliefs(ground, target)
    else:
        modality = modality_of(posterior.modalities, wish.modality)
        number = posterior.modalities.index(modality)
        beliefs, counts = recording_beliefs(ground, target, number, n, wish.repeats)
        known = dict(zip(study.names.stimuli, counts.tolist(), strict=True))
        seen = np.array([known.get(text, 0) for text in candidates.stimulus], dtype=np.int64)
    group = codes(candidates.group)[0]
    pool = Pool(ground.columns(candidates.features), group, candidates.price, seen, wish.repeats)
    found = greedy_choice(beliefs, pool, n)
    random = _against_random(beliefs, pool, found, np.random.default_rng([wish.seed, 3]))
    return _named_choice(posterior, candidates, (of, modality), (beliefs, pool, found), random)


def check_size(candidates: Candidates, n: int, repeats: int) -> None:
    """Raise ``BadInput`` if as many stimuli cannot be chosen."""
    if n < 1:
        raise BadInput(f"n: got {n}. Choose at least one stimulus.")
    if repeats < 1:
        raise BadInput(f"repeats: got {repeats}. A stimulus is chosen at least once.")
    most = len(candidates.stimulus) * repeats
    if n > most:
        raise problem(
            candidates.source, "", f"it offers {most} measurements, {n} are asked for", "Lower n or add candidates."
        )
    smallest = int(np.bincount(codes(candidates.group)[0]).min())
    if smallest > n:
        wrong = f"the smallest group has {smallest} stimuli, {n} are asked for, and groups are chosen whole"
        raise problem(candidates.source, "column 'group'", wrong, f"Ask for at least {smallest}.")


def modality_of(names: Sequence[str], wanted: str | None) -> str:
    """Return the modality to record, or raise ``BadInput``."""
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None:
        raise BadInput(f"modality: the study has the modalities {quoted_list(names)}. Say which one will be recorded.")
    if wanted not in names:
        raise BadInput(
            f"modality: the study has no modality {quoted(wanted)}, only {quoted_list(names)}.{did_you_mean(wanted, names)}"
        )
    return wanted


def _against_random(beliefs: Beliefs, pool: Pool, found: GreedyChoice, rng: np.random.Generator) -> AgainstRandom:
    """Return what random choices bring, and how many of them equal the choice."""
    price = np.bincount(pool.group, weights=pool.price)
    spent, mean_price = float(price[found.groups].sum()), float(pool.price.mean())
    goal = beliefs.by_draw(found.risk[-1])
    counts = sorted({min(max(round(step * spent / mean_price), 1), len(pool.group)) for step in _STEPS})
    paths = [random_path(beliefs, pool, counts, goal, rng) for _ in range(ORDERS)]
    saved: list[NDArray[np.float64]] = []
    level: list[NDArray[np.float64]] = []
    beyond = 0.0
    for path in paths:
        risk = beliefs.by_draw(path.risk)
        reached = np.array([np.interp(-g, -risk[:, d], path.price) for d, g in enumerate(goal)])
        beyond += float(np.mean(risk[-1] > goal)) / len(paths)
        saved.append((reached - spent) / mean_price)
        level.append(np.array([np.interp(spent, path.price, risk[:, d]) for d in range(len(goal))]))
    steps = np.unique(np.concatenate([path.price for path in paths]))
    steps = np.linspace(0.0, min(float(path.price[-1]) for path in paths), 25) if len(steps) > 25 else steps
    curve = np.array([np.interp(steps, path.price, beliefs.by_draw(path.risk).mean(axis=1)) for path in paths])
    low, high = np.quantile(curve, [0.05, 0.95], axis=0)
    as_tuple = [tuple(float(v) for v in values) for values in (steps, curve.mean(axis=0), low, high)]
    return AgainstRandom(Spread.of(np.array(level)), Spread.of(np.array(saved)), beyond, *as_tuple)


def _in_pilot(study: StudyData) -> Mapping[str, str]:
    """Return what the pilot knows of its stimuli, by id."""
    labelled = set(study.pilot.label_stimulus.tolist())
    recorded = {int(row) for recording in study.pilot.recordings for row in np.unique(recording.stimulus)}
    words = {(True, True): "labelled and recorded", (True, False): "labelled", (False, True): "recorded"}
    return {
        text: words.get((row in labelled, row in recorded), "stimulus") for row, text in enumerate(study.names.stimuli)
    }


def _named_choice(
    posterior: PosteriorDraws,
    candidates: Candidates,
    what: tuple[str, str | None],
    result: tuple[Beliefs, Pool, GreedyChoice],
    random: AgainstRandom,
) -> StimulusChoice:
    """Return the result with names, in units of a label."""
    (of, modality), (beliefs, pool, found), unit = what, result, posterior.label_scale**2
    by_draw = beliefs.by_draw(found.risk) * unit
    expected = by_draw.mean(axis=1)
    known = _in_pilot(posterior.study)
    members: dict[int, list[int]] = {}
    for row, group in enumerate(pool.group.tolist()):
        members.setdefault(group, []).append(row)
    rows: list[ChosenStimulus] = []
    spent = 0.0
    for rank, group in enumerate(found.groups.tolist(), start=1):
        spent += float(pool.price[members[group]].sum())
        for row in members[group]:
            text = candidates.stimulus[row]
            gain, after = float(expected[rank - 1] - expected[rank]), float(expected[rank])
            rows.append(
                ChosenStimulus(
                    rank, text, candidates.group[row], float(pool.price[row]), gain, after, spent, known.get(text, "")
                )
            )
    remarks = _remarks(candidates, rows, of)
    scaled = AgainstRandom(
        Spread(*(value * unit for value in vars(random.risk).values())),
        random.saved,
        random.beyond,
        random.count,
        *(tuple(value * unit for value in values) for values in (random.curve, random.low, random.high)),
    )
    sentence = _sentence(of, len(rows), scaled)
    return StimulusChoice(
        of, modality, tuple(rows), Spread.of(by_draw[0]), Spread.of(by_draw[-1]), scaled, sentence, remarks
    )


def _sentence(of: str, count: int, random: AgainstRandom) -> str:
    saved, more = random.saved, "at least " if random.beyond > 0.05 else ""
    interval = f"90 % interval {saved.q05:.0f} to {saved.q95:.0f}"
    return (
        f"The {count} chosen {of} lower the expected risk as much as {more}{count + saved.mean:.0f} random ones. "
        f"They save {more}{saved.mean:.0f} {of} ({interval}), if the posterior is right."
    )


def _remarks(candidates: Candidates, rows: list[ChosenStimulus], of: str) -> tuple[str, ...]:
    word = "labelled" if of == "labels" else "recorded"
    again = sorted({row.stimulus for row in rows if word in row.in_pilot})
    told: list[str] = []
    if again:
        told.append(f"{len(again)} of the chosen stimuli were {word} in the pilot already: {quoted_list(again)}.")
    if candidates.ignored:
        told.append(f"{candidates.source}: not used: {quoted_list(candidates.ignored)}.")
    return (*told, *candidates.notes)
