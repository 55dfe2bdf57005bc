"""What is learned from a pilot does not depend on how its files are written down.

The order of rows, of channels, of people and of files, the names of everything, units and offsets of channels, copies of channels
and channels that are empty: from tables to what the hierarchical model conditions on; once, all of it together, to the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.rules.channel_copies import channel_copies
from brainworth.design.study_file.config import parse_study
from brainworth.models.pilot.summary import summarise

N, PEOPLE, CHANNELS = 72, ("anna", "ben", "cleo", "dora"), 5
E = [f"E{i}" for i in range(CHANNELS)]
Tables = tuple[Any, Any, Any]


def tables() -> Tables:
    rng = np.random.default_rng(3)
    ids = [f"w{i:03d}" for i in range(N)]
    features = rng.standard_normal((N, 6))
    latent = features @ rng.standard_normal(6)
    stimuli = pd.DataFrame({"stimulus": ids, "group": [f"g{i // 6}" for i in range(N)]})
    stimuli[[f"f{i}" for i in range(6)]] = features
    labels = pd.DataFrame({"stimulus": ids, "label": latent + rng.standard_normal(N)})
    recorded = [
        pd.DataFrame(
            0.6 * np.outer(latent, rng.standard_normal(CHANNELS)) + rng.standard_normal((N, CHANNELS)), columns=E
        ).assign(subject=who, stimulus=ids)
        for who in PEOPLE
    ]
    return stimuli, labels, pd.concat(recorded, ignore_index=True)


CONFIG: dict[str, Any] = {
    "task": {"cost_per_label": 1.0, "max_labels": 1000},
    "modality": [{"name": "EEG", "cost": {"per_sample": 1.0}}],
    "budget": {"total": 100.0},
}


def read(given: Tables, **reader: Any) -> Study:
    stimuli, labels, recordings = given
    config = CONFIG | {"modality": [CONFIG["modality"][0] | {"reader": reader}]}
    return Study.from_frames(stimuli=stimuli, labels=labels, recordings={"EEG": recordings}, config=config)


def evidence(study: Study, names: dict[str, str] | None = None) -> list[np.ndarray]:
    """Return what the hierarchical model conditions on, people in the order of ``PEOPLE``."""
    called = names or {}
    order = [[r.subject for r in study.pilot.recordings].index(called.get(who, who)) for who in PEOPLE]
    pilot = replace(study.pilot, recordings=tuple(study.pilot.recordings[i] for i in order))
    return [
        np.asarray(leaf, dtype=float) for leaf in jax.tree_util.tree_leaves(summarise(pilot, ("EEG",), 2, 0).evidence)
    ]


@pytest.fixture(scope="module")
def plain() -> list[np.ndarray]:
    return evidence(read(tables()))


def same(found: list[np.ndarray], expected: list[np.ndarray], rtol: float = 1e-5) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.abs(one), np.abs(other), rtol=rtol, atol=1e-7)


def _people(t: Tables) -> Tables:
    return t[0], t[1], pd.concat([t[2][t[2]["subject"] == who] for who in PEOPLE[::-1]])


def _interleaved(t: Tables) -> Tables:
    """One row of each person after the other: the order within a person, which is that of time, stays."""
    return t[0], t[1], t[2].iloc[np.argsort(np.arange(len(t[2])) % N, kind="stable")]


def _channels(t: Tables) -> Tables:
    return t[0], t[1], t[2][["stimulus", *E[::-1], "subject"]]


def _labels(t: Tables) -> Tables:
    return t[0], t[1].sample(frac=1.0, random_state=1), t[2]


def _features(t: Tables) -> Tables:
    return t[0][[*reversed(t[0].columns)]], t[1], t[2]


def _offsets(t: Tables) -> Tables:
    return t[0], t[1], t[2].assign(**{name: t[2][name] + 10.0 * i for i, name in enumerate(E)})


def _label_unit(t: Tables) -> Tables:
    return t[0], t[1].assign(label=1e9 * t[1]["label"] - 3e9), t[2]


def _feature_unit(t: Tables) -> Tables:
    names = [f"f{i}" for i in range(6)]
    return t[0].assign(**{name: 1e-12 * t[0][name] for name in names}), t[1], t[2]


@pytest.mark.parametrize(
    "change", [_people, _interleaved, _channels, _labels, _features, _offsets, _label_unit, _feature_unit]
)
def test_how_tables_are_written_down_does_not_count(
    change: Callable[[Tables], Tables], plain: list[np.ndarray]
) -> None:
    same(evidence(read(change(tables()))), plain)


def test_names_do_not_count(plain: list[np.ndarray]) -> None:
    stimuli, labels, recordings = tables()
    people: dict[str, str] = dict(zip(PEOPLE, ("Zoë", "2", "sub-17", "x y"), strict=True))
    ids = {name: f"Wort {7 * i % N}é" for i, name in enumerate(stimuli["stimulus"])}
    given = (
        stimuli.assign(stimulus=stimuli["stimulus"].map(ids), group=stimuli["group"] + " Satz"),
        labels.assign(stimulus=labels["stimulus"].map(ids)),
        recordings.assign(stimulus=recordings["stimulus"].map(ids), subject=recordings["subject"].map(people)).rename(
            columns={name: f"Kanal {name}" for name in E}
        ),
    )
    same(evidence(read(given), people), plain)


@seed(16)
@settings(max_examples=4, deadline=None, database=None)
@given(st.lists(st.floats(-15, 15), min_size=CHANNELS, max_size=CHANNELS))
def test_every_channel_has_a_unit_of_its_own(plain: list[np.ndarray], powers: list[float]) -> None:
    stimuli, labels, recordings = tables()
    scaled = recordings.assign(**{name: recordings[name] * 10.0**power for name, power in zip(E, powers, strict=True)})
    same(evidence(read((stimuli, labels, scaled))), plain)


def test_an_empty_channel_is_left_out_and_said(plain: list[np.ndarray]) -> None:
    stimuli, labels, recordings = tables()
    study = read((stimuli, labels, recordings.assign(E9=np.nan)))
    same(evidence(study), plain)
    assert sum("lacks 1 of 6 channels" in remark for remark in study.remarks) == len(PEOPLE)
    with pytest.raises(BadInput, match="the channel is constant for subject 'anna'"):
        read((stimuli, labels, recordings.assign(E9=0.0)))


@pytest.mark.parametrize(("unit", "offset"), [(1.0, 0.0), (-1e-6, 0.0), (1e6, 5e6)])
def test_a_channel_given_twice_is_left_out_and_said(unit: float, offset: float, plain: list[np.ndarray]) -> None:
    stimuli, labels, recordings = tables()
    copy = (unit * recordings["E1"] + offset).astype(np.float32)
    study = read((stimuli, labels, recordings.assign(again=copy, once_more=unit * recordings["E1"])))
    same(evidence(study), plain)
    assert any("'again' is 'E1' (up to 2 of a person; 4 people" in remark for remark in study.remarks)
    assert study.names.channels["EEG", "ben"] == tuple(E)


def test_channels_that_nearly_agree_or_count_few_things_are_kept() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 400))
    x[:, 7] = x[:, 3] + 1e-5 * rng.standard_normal(50)
    assert np.array_equal(channel_copies(x), np.arange(400))
    x[:, 9], x[:, 350] = 2.0 * x[:, 3], -x[:, 350 - 1]
    first = channel_copies(x)
    assert (first[9], first[350]) == (3, 349)
    assert np.sum(first != np.arange(400)) == 2
    spikes = np.zeros((50, 2))
    spikes[4] = 1.0, 2.0
    assert channel_copies(spikes).tolist() == [0, 1]


def test_the_order_of_stimuli_changes_the_folds_only(plain: list[np.ndarray]) -> None:
    """Sums over stimuli of what folds leave, two or four numbers, move by less than their own sampling error."""
    stimuli, labels, recordings = tables()
    found = evidence(read((stimuli.iloc[::-1], labels, recordings)))
    for one, other in zip(found, plain, strict=True):
        assert one.shape == other.shape
        least = 0.5 * np.sqrt(N) if 1 < one.size <= 4 else 1e-7
        assert np.median(np.abs(np.abs(one) - np.abs(other))) <= 0.2 * np.median(np.abs(other)) + least


def test_files_in_any_order_are_one_table() -> None:
    """Epochs of a person per file: the order of the files is that of their names, whatever the disk says."""
    stimuli, labels, recordings = tables()
    halves = [recordings[recordings["subject"].isin(PEOPLE[i::2])] for i in range(2)]
    one, other = (read((stimuli, labels, pd.concat(parts))) for parts in (halves, halves[::-1]))
    same(evidence(one), evidence(other))


def _all_at_once(t: Tables) -> Tables:
    """Other people, ids, channels, units, offsets and orders than in the tables as they are, and a channel given twice."""
    stimuli, labels, recordings = _label_unit(_feature_unit(_offsets(_channels(_people(t)))))
    ids = {name: f"Wort {7 * i % N}é" for i, name in enumerate(stimuli["stimulus"])}
    units = {name: recordings[name] * 10.0 ** (7 * i - 14) for i, name in enumerate(E)}
    recordings = recordings.assign(**units, E9=3.0 * recordings["E2"] - 1.0)
    people = dict(zip(PEOPLE, ("Zoë", "2", "sub-17", "x y"), strict=True))
    return (
        stimuli.assign(stimulus=stimuli["stimulus"].map(ids)),
        labels.assign(stimulus=labels["stimulus"].map(ids)).sample(frac=1.0, random_state=1),
        recordings.assign(stimulus=recordings["stimulus"].map(ids), subject=recordings["subject"].map(people)),
    )


def _two_people() -> Tables:
    """As many people as in the example study, whose compiled programs are then used again."""
    stimuli, labels, recordings = tables()
    return stimuli, labels, recordings[recordings["subject"].isin(PEOPLE[:2])]


def _priced(study: Study, unit: float) -> Study:
    """Return a study with all of its money in another unit."""
    money = {
        "task": {"cost_per_label": 1.0 * unit, "max_labels": 1000},
        "modality": [{"name": "EEG", "cost": {"per_sample": 0.25 * unit, "per_subject": 3.0 * unit}}],
        "budget": {"total": 150.0 * unit},
    }
    return replace(study, config=parse_study(money))


def test_a_plan_does_not_depend_on_how_its_pilot_is_written_down() -> None:
    """Two fits, equal up to Monte Carlo error; of one fit, the same purchase in every currency.

    Forecasts of two fits differ by the error of some 250 independent draws; 4.5 of them are exceeded by chance in fewer than one
    run of 10,000 (all comparisons together).
    """
    posteriors = [_priced(read(given), 1.0).fit(seed=0) for given in (_two_people(), _all_at_once(_two_people()))]
    plans = [posterior.plan(rehearsals=0, force=True) for posterior in posteriors]
    draws = [pd.DataFrame(made.details.posterior_draws) for made in plans if made.details]
    for name in draws[0]:
        one, other = (np.asarray(frame[name]) for frame in draws)
        other = other / 1e18 if name.endswith("variance") else other  # in the square of the labels' unit
        assert abs(one.mean() - other.mean()) <= 4.5 * np.sqrt((one.var() + other.var()) / 250), name
    one, other = (made["performance"]["explainable_r2"]["mean"] for made in plans)
    assert one == pytest.approx(other, abs=0.02)
    assert plans[0]["verdict"]["collect_brain_data"] == plans[1]["verdict"]["collect_brain_data"]
    for unit in (1e-9, 1e12):
        priced = _priced(read(_two_people()), unit)
        fitted = replace(posteriors[0].fitted, study=priced)
        made = replace(posteriors[0], study=priced, fitted=fitted).plan(rehearsals=0, force=True)
        assert made["allocation"] == plans[0]["allocation"]
        assert made["cost"]["total"] == pytest.approx(plans[0]["cost"]["total"] * unit, rel=1e-9)
        assert made["performance"] == plans[0]["performance"]
