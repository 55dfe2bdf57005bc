"""How often the checks of assumptions warn where an assumption breaks and where none does, and what the forecast does there.

    uv run python case_studies/calibration/assumptions.py                       # results/assumptions.md
    uv run python case_studies/calibration/assumptions.py --worlds 4 --fits 0 --out /tmp/assumptions
    uv run python case_studies/calibration/assumptions.py --fits 8 --kinds "null, types" "types, new tokens" "types, new types"

In: number of worlds of each kind, how many of them are fitted, which kinds, seed. Out, in --out: ``assumptions.jsonl`` (one
line a world; a run that was stopped goes on from there) and ``assumptions.md``. In the null worlds people, raters and types are
alike and everything is linear: every warning is a false alarm. A pilot holds 300 samples of each of four people and labels of
160 stimuli. *Held* says whether the R² on new labels that the learner trained on the pilot reaches lies in the central 90 % of
what the posterior forecasts for this pilot. Pilots with types are fitted twice: a twin takes all labels for independent. So are
pilots whose labels count by the precision of their raters: all labels of the twin count the same. Of pilots whose people share a
part of a latent, and of null pilots, recordings of four new people are bought, too: does the learner then reach its forecast?
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from resumed import carry_out, command_parser
from sklearn.linear_model import RidgeCV

import brainworth as bw
from brainworth.design.performance.purchase import Purchase
from brainworth.design.pilot.new_stimuli import joined
from brainworth.design.pilot.rules.raters import rater_corrected
from brainworth.design.posterior.assumption_checks import assumption_checks
from brainworth.design.posterior.assumptions import seen_assumptions
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.sampled import fit_for_forecast
from brainworth.models.learner.learning_curve import learned
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.summary import summarise
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import Realism, World, draw_world, record

FEATURES, STIMULI, LABELLED, PEOPLE, SAMPLES, CHANNELS, TEST = 40, 800, 160, 4, 300, 12, 4000
SIGNAL, NOISE = 0.6, 0.4
NEW_PEOPLE, NEW_SAMPLES = 4, 2000
"""Whose recordings are bought, and how many samples of all together."""


@dataclass(frozen=True)
class Kind:
    """One kind of worlds."""

    common: float = 1.0
    """Share of every latent that people have in common."""
    raters: int = 0
    """Raters, two for each stimulus; 0: one label a stimulus, nobody says by whom."""
    offset: float = 0.0
    """Standard deviation of the raters' offsets."""
    noisy: float = 1.0
    """Factor on the noise of one rater in four, or of a quarter of the labels in a row."""
    tokens: int = 0
    """Tokens of a type; 0: no types."""
    own: float = 0.0
    """Standard deviation of what a type adds beyond the features."""
    new: str = "tokens"
    """What the study takes new stimuli to be."""
    bent: bool = False
    """Whether labels saturate."""


KINDS = {
    "null": Kind(),
    "null, four raters": Kind(raters=4),
    "null, types": Kind(tokens=5),
    "people share .75": Kind(common=0.75),
    "people share .5": Kind(common=0.5),
    "raters, offsets": Kind(raters=4, offset=0.6),
    "raters, one noisy": Kind(raters=4, noisy=3.0),
    "labels, a noisy quarter": Kind(noisy=2.5),
    "types, new tokens": Kind(tokens=5, own=0.7),
    "types, new types": Kind(tokens=5, own=0.7, new="types"),
    "labels that saturate": Kind(bent=True),
}
CHECKS = ("shared by people (EEG)", "raters", "order of the labels", "tokens and types", "lack of fit")


def _signal(world: World, features: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Return what labels say without noise; saturating ones have the variance of linear ones."""
    linear = features @ world.truth.task_map
    if not kind.bent:
        return linear
    scale = np.sqrt(world.truth.signal_variance)
    bent = np.tanh(2.0 * (linear / scale - 0.8))
    return bent / bent.std() * scale


def pilot_of(name: str, seed: int, index: int) -> tuple[Pilot, World, np.random.Generator]:
    """Return the pilot of one world as its tables are read: raters' offsets subtracted where the rule says so."""
    kind, rng = KINDS[name], np.random.default_rng([seed, list(KINDS).index(name), index])
    system = System(
        spectrum=Spectrum.power_law(FEATURES, 0.5),
        signal_variance=jnp.asarray(SIGNAL),
        noise_variance=jnp.asarray(NOISE),
        alignment=jnp.asarray([0.6, 0.0]),
        snr=jnp.asarray([[1.0, 0.5]]),
        channels=jnp.asarray([float(CHANNELS)]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )
    world = draw_world(system, rng, Realism(common=kind.common))
    features, types = world.features(rng, STIMULI), None
    if kind.tokens:
        types = np.arange(STIMULI) // kind.tokens
        features = np.sqrt(0.9) * world.features(rng, int(types.max()) + 1)[types] + np.sqrt(0.1) * features
    recordings: list[Recording] = []
    for person in range(PEOPLE):
        rows = rng.permutation(STIMULI)[:SAMPLES]
        gain = float(np.exp(0.35 * rng.standard_normal()))
        recordings.append(Recording("EEG", f"p{person}", rows, record(world, rng, 0, features[rows], gain)))
    parts = np.arange(STIMULI) if types is None else joined(np.arange(STIMULI), types)
    labelled = np.sort(rng.permutation(STIMULI // max(kind.tokens, 1))[: LABELLED // max(kind.tokens, 1)])
    stimulus = labelled if types is None else np.flatnonzero(np.isin(types, labelled))
    stimulus = rng.permutation(stimulus)
    stimulus = np.repeat(stimulus, 2) if kind.raters else stimulus
    level = np.ones(stimulus.size)
    rater, offset = None, np.zeros(stimulus.size)
    if kind.raters:
        pairs = [rng.permutation(kind.raters)[:2] for _ in range(stimulus.size // 2)]
        rater = np.concatenate(pairs)
        offset = (kind.offset * rng.standard_normal(kind.raters))[rater]
        level[rater == 0] = kind.noisy
    else:
        level[stimulus.size // 3 : stimulus.size // 3 + stimulus.size // 4] = kind.noisy
    label = _signal(world, features, kind)[stimulus] + offset
    label = label + level * np.sqrt(NOISE) * rng.standard_normal(stimulus.size)
    if types is not None:
        label = label + (kind.own * rng.standard_normal(int(types.max()) + 1))[types[stimulus]]
    pilot = Pilot(
        features=features,
        group=parts if kind.new == "types" else np.arange(STIMULI),
        recordings=tuple(recordings),
        label_stimulus=stimulus,
        label=label,
        rater=rater,
        by_tokens=None if types is None else np.arange(STIMULI),
        by_types=None if types is None else parts,
        kind=types,
    )
    return rater_corrected(pilot, "labels")[0], world, rng


def _study(pilot: Pilot, new: str) -> bw.Study:
    people = {r.subject: (r.stimulus, r.in_memory) for r in pilot.recordings}
    modality = {"name": "EEG", "new_subjects": True, "cost": {"per_sample": 0.01, "per_subject": 2.0}}
    config: dict[str, Any] = {"task": {"cost_per_label": 1.0}, "modality": [modality], "budget": {"total": 40}}
    labels = pilot.label_stimulus, pilot.label
    study = bw.Study.from_arrays(pilot.features, labels, {"EEG": people}, config).with_pilot(pilot)
    stimuli = {"type": "type", "new": new} if pilot.by_types is not None else {}
    about = type(study.config).model_validate({**study.config.model_dump(), "stimuli": stimuli})
    return replace(study, config=about)


def _noise(kind: Kind) -> float:
    """Return the noise variance of a new label: that of an average label of the pilot."""
    return NOISE * (1.0 + (kind.noisy**2 - 1.0) / 4.0) + kind.own**2


def _reached(pilot: Pilot, world: World, kind: Kind, rng: np.random.Generator) -> float:
    """Return R^2 on new noisy labels, of new types if there are types, of the learner trained on the pilot."""
    features = world.features(rng, TEST)
    truth, noise = _signal(world, features, kind), _noise(kind)
    missed = float(np.mean((learned(pilot, features) - truth) ** 2))
    return 1.0 - (missed + noise) / (float(truth.var()) + noise)


def _fitted(study: bw.Study, pilot: Pilot, made: tuple[World, Kind, np.random.Generator], seed: int) -> dict[str, Any]:
    """Return what the posterior of a pilot says of R^2 and of the share that features explain, and the truth."""
    world, how, rng = made
    posterior = fit_for_forecast(study.with_pilot(pilot), seed)
    signal, noise = float(world.truth.signal_variance), _noise(how)
    bought: dict[str, Any] = {}
    if not how.tokens and not how.raters:
        more = _extended(pilot, world, deepcopy(rng))
        bought = {
            "bought_forecast": np.quantile(_forecast(posterior, NEW_SAMPLES), [0.05, 0.5, 0.95]).tolist(),
            "bought_r2": _reached(more, world, how, deepcopy(rng)),
        }
    return bought | {
        "forecast": np.quantile(_forecast(posterior), [0.05, 0.5, 0.95]).tolist(),
        "r2": _reached(pilot, world, how, rng),
        "explained": np.quantile(posterior.explained_share, [0.05, 0.5, 0.95]).tolist(),
        "explained_true": signal / (signal + noise),
        "labels": float(posterior.pilot.labels),
        "in_common": posterior.type_share,
    }


def _forecast(posterior: PosteriorDraws, samples: int = 0) -> NDArray[np.float64]:
    """Return what the posterior forecasts for the pilot and so many samples of new people: R^2 of single studies."""
    bought = np.full((1, 1), float(samples))
    people = np.full((1, 1), float(NEW_PEOPLE if samples else 1))
    purchase = Purchase(n_task=np.zeros(1), samples=bought, subjects=people, repeats=np.ones((1, 1)))
    surface = replace(posterior.surface(), shift=1.0)
    return surface.outcomes(purchase)[0] * np.repeat(posterior.explained_share, surface.studies)


def _extended(pilot: Pilot, world: World, rng: np.random.Generator) -> Pilot:
    """Return a pilot with recordings of new people, each of new stimuli."""
    each = NEW_SAMPLES // NEW_PEOPLE
    features = world.features(rng, NEW_SAMPLES)
    count = len(pilot.features)
    new = tuple(
        Recording("EEG", f"n{i}", count + rows, record(world, rng, 0, features[rows], float(np.exp(0.35 * gain))))
        for i, (rows, gain) in enumerate(
            zip(np.arange(NEW_SAMPLES).reshape(-1, each), rng.standard_normal(NEW_PEOPLE), strict=True)
        )
    )
    whole = np.concatenate([pilot.features, features])
    return replace(pilot, features=whole, group=np.arange(len(whole)), recordings=(*pilot.recordings, *new))


def _ridge_risk(pilot: Pilot, label: NDArray[np.float64], world: World, kind: Kind, rng: np.random.Generator) -> float:
    """Return the mean squared error of ridge regression on the signal of new stimuli, less that of its mean."""
    features = world.features(rng, TEST)
    model = RidgeCV(alphas=np.logspace(-1, 5, 25)).fit(pilot.features[pilot.label_stimulus], label)
    return float(np.var(np.asarray(model.predict(features)) - _signal(world, features, kind)))


def one_world(kind: str, index: int, fitted: bool, seed: int) -> dict[str, Any]:  # noqa: FBT001
    """Return which checks warn, and what the forecast is worth."""
    how = KINDS[kind]
    pilot, world, rng = pilot_of(kind, seed, index)
    study = _study(pilot, how.new)
    seen = seen_assumptions(study, summarise(pilot, ("EEG",), 4, index))
    common = seen.in_common["EEG"]
    line: dict[str, Any] = {
        "kind": kind,
        "index": index,
        "fitted": fitted,
        "status": {check.name: check.status for check in assumption_checks(seen)},
        "share": common.share if common.known else None,
        "subtracted": pilot.subtracted is not None,
    }
    if pilot.subtracted is not None:
        given = pilot.label + pilot.subtracted
        line["ridge"] = [_ridge_risk(pilot, y, world, how, np.random.default_rng(index)) for y in (given, pilot.label)]
    if fitted:
        line |= _fitted(study, pilot, (world, how, deepcopy(rng)), index)
        if how.tokens or pilot.weight is not None:
            other = replace(pilot, kind=None, weight=None)
            line["twin"] = _fitted(study, other, (world, how, deepcopy(rng)), index)
    return line


def table(lines: list[dict[str, Any]]) -> str:
    """Return the table of all kinds, in Markdown."""
    rows = [
        "| worlds | pilots | "
        + " | ".join(name.replace(" (EEG)", "") for name in CHECKS)
        + " | share found | fitted | "
        "forecast, median | reached | held by 90 % |",
        "| --- | --- |" + " --- |" * (len(CHECKS) + 5),
    ]
    for kind in KINDS:
        own = [line for line in lines if line["kind"] == kind]
        if not own:
            continue
        cells = [_share([line["status"][name] != "ok" for line in own if name in line["status"]]) for name in CHECKS]
        shares = [line["share"] for line in own if line["share"] is not None]
        fits = [line for line in own if "r2" in line]
        held = sum(line["forecast"][0] <= line["r2"] <= line["forecast"][2] for line in fits)
        cells += [_mean(shares), str(len(fits)), _mean([line["forecast"][1] for line in fits])]
        cells += [_mean([line["r2"] for line in fits]), f"{held} of {len(fits)}" if fits else ""]
        rows.append(f"| {kind} | {len(own)} | " + " | ".join(cells) + " |")
    pairs = np.array([line["ridge"] for line in lines if "ridge" in line])
    if len(pairs) > 1:
        gain = 1.0 - pairs[:, 1] / pairs[:, 0]
        rows.append(
            f"\nOffsets were subtracted in {len(pairs)} pilots: the excess risk of ridge regression on the labels fell by "
            f"{100 * gain.mean():.0f} ± {100 * gain.std(ddof=1) / np.sqrt(len(gain)):.0f} %."
        )
    return "\n".join([*rows, *_twin_rows(lines), *_bought_rows(lines)]) + "\n"


def _bought_rows(lines: list[dict[str, Any]]) -> list[str]:
    """Return a table of pilots to which recordings of new people were added."""
    rows: list[str] = []
    for kind in KINDS:
        fits = [line for line in lines if line["kind"] == kind and "bought_r2" in line]
        if len(fits) > 1:
            held = sum(fit["bought_forecast"][0] <= fit["bought_r2"] <= fit["bought_forecast"][2] for fit in fits)
            gained = [fit["bought_forecast"][1] - fit["forecast"][1] for fit in fits]
            reached = [fit["bought_r2"] - fit["r2"] for fit in fits]
            cells = [str(len(fits)), _mean([fit["bought_forecast"][1] for fit in fits])]
            cells += [_mean([fit["bought_r2"] for fit in fits]), f"{held} of {len(fits)}"]
            cells += [_mean(gained, 3), _mean(reached, 3)]
            rows.append(f"| {kind} | " + " | ".join(cells) + " |")
    head = (
        f"| worlds, with {NEW_SAMPLES:,} samples of {NEW_PEOPLE} new people | fitted | forecast, median | reached | "
        "held by 90 % | they gain: forecast | reached |"
    )
    return ["", head, "| --- |" + " --- |" * 6, *rows] if rows else []


def _twin_rows(lines: list[dict[str, Any]]) -> list[str]:
    """Return a table of the fitted pilots whose types or raters are known, beside their twins."""
    rows: list[str] = []
    for kind, how in KINDS.items():
        own = [line for line in lines if line["kind"] == kind and "twin" in line]
        names = ("types known", "labels independent") if how.tokens else ("raters weighed", "raters alike")
        for name, fits in zip(names, (own, [line["twin"] for line in own]), strict=True):
            if len(fits) > 1:
                held = sum(fit["forecast"][0] <= fit["r2"] <= fit["forecast"][2] for fit in fits)
                inside = sum(fit["explained"][0] <= fit["explained_true"] <= fit["explained"][2] for fit in fits)
                cells = [_mean([fit["forecast"][1] for fit in fits]), _mean([fit["r2"] for fit in fits])]
                cells += [f"{held} of {len(fits)}", _mean([fit["explained"][1] for fit in fits])]
                cells += [_mean([fit["explained_true"] for fit in fits]), f"{inside} of {len(fits)}"]
                cells += [_mean([fit["labels"] for fit in fits], 0)]
                cells += [_mean([fit["in_common"] for fit in fits if fit["in_common"] is not None])]
                rows.append(f"| {kind} | {name} | " + " | ".join(cells) + " |")
    head = (
        "| worlds | model | forecast, median | reached | held by 90 % | explained share, median | true | "
        "held by 90 % | 160 labels count as | noise in common |"
    )
    return ["", head, "| --- | --- |" + " --- |" * 8, *rows] if rows else []


def _share(warned: list[bool]) -> str:
    if not warned:
        return ""
    rate = float(np.mean(warned))
    return f"{100 * rate:.0f} ± {100 * np.sqrt(rate * (1 - rate) / len(warned)):.0f} %"


def _mean(values: list[float], digits: int = 2) -> str:
    if len(values) < 2:
        return ""
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.{digits}f}"


def main() -> None:
    """Look at all kinds of worlds."""
    parser = command_parser(__doc__, "worlds", 24)
    parser.add_argument("--fits", type=int, default=6)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    given = parser.parse_args()
    tasks = [(kind, index, index < given.fits) for index in range(given.count) for kind in given.kinds]
    carry_out("assumptions", one_world, tasks, ("kind", "index", "fitted"), table, given)


if __name__ == "__main__":
    main()
