"""The planner page of the site: presets without a pilot, their performance tables, and what they assume.

In: literature priors and the prices below. Out: tables for the page, and the planner itself as HTML, which is put into the finished
page so that it stays out of the search index. Tables are made when the site is built, the same ones every time (seed 0).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainworth.design.posterior.draws import PosteriorDraws

PLACE = '<div id="planner-here"></div>'
"""Where the planner goes into the finished page."""
WORTHWHILE, LABEL, BUDGET, LABELS = 0.01, 25, 20_000, 500
"""Smallest gain worth the trouble; price of a label; budget; labels of the reader's own design."""
_LABELS, _SAMPLES = 200_000, 400_000
"""How far the tables go: 400,000 samples are 40 people with ten sessions of 1,000."""


@dataclass(frozen=True)
class Preset:
    """Prices and sessions of one kind of recording: the upper ends of case study `modality_costs`, in USD."""

    session: int
    size: int
    """Samples of a session."""
    person: int
    setup: int
    usable: float
    kind: str
    """In `models/priors/literature.toml`."""
    why: str
    """What the price of a session is made of."""


PRESETS = {
    "fMRI": Preset(
        1410, 600, 50, 0, 0.9, "fmri_3t", "1.5 hours of a 3 T scanner at 900 USD, a participant for 2 hours at 30 USD"
    ),
    "EEG": Preset(
        295, 1000, 50, 3500, 0.85, "eeg",
        "2.5 hours of a laboratory at 88 USD, a participant for 2.5 hours at 30 USD; once 3,500 USD for a cap",
    ),
    "MEG": Preset(
        1660, 1000, 50, 0, 0.85, "meg",
        "2 hours at 800 USD (our guess: we found no public price list), a participant for 2 hours at 30 USD",
    ),
}  # fmt: skip
CHOICES = {**{name: (name,) for name in PRESETS}, "fMRI and EEG": ("fMRI", "EEG")}
"""What a reader can begin with: kinds of recording, in the order of the page."""
STUDY = """\
# Made by the planner page of brainworth's documentation. There is no pilot: every number rests on priors from the literature.
# Check it with: brainworth check study.toml      Plan with: brainworth plan study.toml --out plan

[study]
title = "{names} beside labels, without a pilot"
seed = 0

[task]
kind = "regression"
cost_per_label = {label}

{modalities}[budget]
total = {budget}
currency = "{currency}"

[objective]
worthwhile = {worthwhile}

[priors]
dimension = 300
spectrum_exponent = 1.0
explainable = [0.2, 0.6]
"""
MODALITY = """\
[[modality]]
name = "{name}"
new_subjects = true

[modality.cost]
per_session = {{session_{i}}}
samples_per_session = {{size_{i}}}
per_subject = {{person_{i}}}
setup = {{setup_{i}}}
usable_fraction = {usable}

[modality.design]
max_subjects = 40
max_sessions_per_subject = 10

"""


def study_text(choice: str) -> str:
    """Return the study file of a choice in which words in braces stand for the page's inputs."""
    kinds = CHOICES[choice]
    modalities = "".join(MODALITY.format(name=name, usable=PRESETS[name].usable, i=i) for i, name in enumerate(kinds))
    kept = {key: "{" + key + "}" for key in ("label", "budget", "currency")}
    return STUDY.format(names=choice, modalities=modalities, worthwhile=WORTHWHILE, **kept)


def defaults(choice: str) -> dict[str, Any]:
    """Return the inputs that a choice begins with."""
    found: dict[str, Any] = {"label": LABEL, "budget": BUDGET, "currency": "USD"}
    for i, name in enumerate(CHOICES[choice]):
        given = PRESETS[name]
        own = {"session": given.session, "size": given.size, "person": given.person, "setup": given.setup}
        found |= {f"{key}_{i}": value for key, value in own.items()}
    return found


@cache
def belief(choice: str) -> PosteriorDraws:
    """Return what is believed of a choice's study: the prior, in the form of a posterior."""
    from brainworth.design.common.runtime import use_compilation_cache
    from brainworth.design.pilot.study import StudyData
    from brainworth.design.posterior.fit import fit_study

    use_compilation_cache()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(study_text(choice).format(**defaults(choice)), encoding="utf-8")
        return fit_study(StudyData.from_file(path), 0)


@cache
def preset(choice: str) -> dict[str, Any]:
    """Return the planner's data of a choice."""
    from brainworth.design.allocation.from_config import problem_from_config
    from brainworth.design.decision.performance_table import Fineness, Reach, performance_table
    from brainworth.design.decision.records.details import ModalityPrices, Prices
    from brainworth.design.report.planner import Beginning, inputs

    known, kinds = belief(choice), CHOICES[choice]
    problem = problem_from_config(known.study.config, known.people)
    reach = Reach(_LABELS, dict.fromkeys(kinds, _SAMPLES), {cost.name: limits for cost, limits in problem.modalities})
    fineness = Fineness(labels=20, samples=13, pair_labels=11, pair_samples=8, draws=500, components=True)
    table = performance_table(known.surface(), reach, fineness)
    prices = {
        name: ModalityPrices(
            per_session=given.session, samples_per_session=given.size, per_subject=given.person, setup=given.setup
        )
        for name, given in ((name, PRESETS[name]) for name in kinds)
    }
    found = inputs(table, Prices(task=LABEL, modalities=prices), Beginning("USD", BUDGET, LABELS, WORTHWHILE))
    for name in kinds:
        found["prices"][name] |= {"people": 2, "each": 2}
    return found | {"study": study_text(choice)}


@cache
def planner() -> str:
    """Return the planner as HTML."""
    from brainworth.design.common.version import __version__
    from brainworth.design.decision.verdict import LIKELY, UNLIKELY
    from brainworth.design.report.planner import fragment

    return fragment({choice: preset(choice) for choice in CHOICES}, LIKELY, UNLIKELY, __version__)


def page(text: str) -> str:
    """Return the page in Markdown with the tables of what the presets assume."""
    from brainworth.design.posterior.literature import literature

    known = literature()
    signals = [
        "| | median | 95 % quantile | channels | how it was read off | source |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    prices = ["| | a session | samples of it | a new person | made of |", "| --- | --- | --- | --- | --- |"]
    for name, given in PRESETS.items():
        entry = known[given.kind]
        snr = f"{entry['snr']:g} | {entry['snr'] * entry['factor']:g} | {entry['channels']}"
        signals.append(f"| {name} | {snr} | {entry['basis']} | {entry['citation']} |")
        prices.append(f"| {name} | {given.session:,} USD | {given.size:,} | {given.person} USD | {given.why} |")
    for mark, table in (("<!-- signals -->", signals), ("<!-- prices -->", prices)):
        if mark not in text:
            raise ValueError(f"The planner page has no place {mark}.")
        text = text.replace(mark, "\n".join(table))
    return text


def filled(output: str) -> str:
    """Return the finished page with the planner in its place."""
    if PLACE not in output:
        raise ValueError("The planner page has no place for the planner.")
    return output.replace(PLACE, planner(), 1)
