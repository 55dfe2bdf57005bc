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
STUDY = """\
# Made by the planner page of brainworth's documentation. There is no pilot: every number rests on priors from the literature.
# Check it with: brainworth check study.toml      Plan with: brainworth plan study.toml --out plan

[study]
title = "{name} beside labels, without a pilot"
seed = 0

[task]
kind = "regression"
cost_per_label = {label}

[[modality]]
name = "{name}"
new_subjects = true

[modality.cost]
per_session = {session}
samples_per_session = {size}
per_subject = {person}
setup = {setup}
usable_fraction = {usable}

[modality.design]
max_subjects = 40
max_sessions_per_subject = 10

[budget]
total = {budget}
currency = "{currency}"

[objective]
worthwhile = {worthwhile}

[priors]
dimension = 300
spectrum_exponent = 1.0
explainable = [0.2, 0.6]
"""
_INPUTS = ("label", "session", "size", "person", "setup", "budget", "currency")


def study_text(name: str) -> str:
    """Return the study file of a preset in which words in braces stand for the page's inputs."""
    preset = PRESETS[name]
    kept = {key: "{" + key + "}" for key in _INPUTS}
    return STUDY.format(name=name, usable=preset.usable, worthwhile=WORTHWHILE, **kept)


def defaults(name: str) -> dict[str, Any]:
    """Return the inputs that a preset begins with."""
    preset = PRESETS[name]
    prices = {"session": preset.session, "size": preset.size, "person": preset.person, "setup": preset.setup}
    return {"label": LABEL, "budget": BUDGET, "currency": "USD", **prices}


@cache
def belief(name: str) -> PosteriorDraws:
    """Return what is believed of a preset's study: the prior, in the form of a posterior."""
    from brainworth.design.common.runtime import use_compilation_cache
    from brainworth.design.pilot.study import StudyData
    from brainworth.design.posterior.fit import fit_study

    use_compilation_cache()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(study_text(name).format(**defaults(name)), encoding="utf-8")
        return fit_study(StudyData.from_file(path), 0)


@cache
def preset(name: str) -> dict[str, Any]:
    """Return the planner's data of a preset."""
    from brainworth.design.allocation.from_config import problem_from_config
    from brainworth.design.decision.performance_table import Fineness, Reach, performance_table
    from brainworth.design.decision.records.details import ModalityPrices, Prices
    from brainworth.design.report.planner import Beginning, inputs

    given, known = PRESETS[name], belief(name)
    problem = problem_from_config(known.study.config, known.people)
    reach = Reach(_LABELS, {name: _SAMPLES}, {cost.name: limits for cost, limits in problem.modalities})
    fineness = Fineness(labels=20, samples=13, draws=500, cubic=True, components=True)
    table = performance_table(known.surface(), reach, fineness)
    price = ModalityPrices(
        per_session=given.session, samples_per_session=given.size, per_subject=given.person, setup=given.setup
    )
    prices = Prices(task=LABEL, modalities={name: price})
    found = inputs(table, prices, Beginning("USD", BUDGET, LABELS, WORTHWHILE))
    found["prices"][name] |= {"people": 2, "each": 2}
    return found | {"study": study_text(name)}


@cache
def planner() -> str:
    """Return the planner as HTML."""
    from brainworth.design.common.version import __version__
    from brainworth.design.decision.verdict import LIKELY, UNLIKELY
    from brainworth.design.report.planner import fragment

    return fragment({name: preset(name) for name in PRESETS}, LIKELY, UNLIKELY, __version__)


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
