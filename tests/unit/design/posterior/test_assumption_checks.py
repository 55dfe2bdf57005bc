"""Checks of assumptions: what a pilot says reaches the reader with its numbers, through the tables as users give them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brainworth.design.common.checks import Check
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.assumption_checks import assumption_checks
from brainworth.design.posterior.assumptions import Assumptions, InCommon, seen_assumptions
from brainworth.models.pilot.labels import standardised_labels
from brainworth.models.pilot.summary import summarise

STIMULI, SEEN = 200, 12
RATERS = {"a": (0.0, 0.6), "b": (1.0, 0.6), "c": (-1.0, 1.8)}
"""Offset and noise."""


def _tables(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return stimuli, labels by three raters, recordings of two people, and the true score of every stimulus."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((STIMULI, SEEN))
    score = x @ rng.standard_normal(SEEN) / np.sqrt(SEEN)
    ids = [f"w{i}" for i in range(STIMULI)]
    stimuli = pd.DataFrame(x, columns=[f"f{i}" for i in range(SEEN)])
    stimuli.insert(0, "stimulus", ids)
    rows = [
        (ids[i], who, score[i] + RATERS[who][0] + RATERS[who][1] * rng.standard_normal())
        for i in range(120)
        for who in rng.permutation(list(RATERS))[:2]
    ]
    parts = []
    for person in ("p", "q"):
        channels = np.outer(score, rng.standard_normal(6)) + rng.standard_normal((STIMULI, 6))
        part = pd.DataFrame(channels, columns=[f"c{i}" for i in range(6)])
        part.insert(0, "stimulus", ids)
        part.insert(0, "subject", person)
        parts.append(part)
    return stimuli, pd.DataFrame(rows, columns=["stimulus", "rater", "label"]), pd.concat(parts), score


CONFIG = {
    "task": {"cost_per_label": 1.0},
    "modality": [{"name": "EEG", "cost": {"per_sample": 0.1, "per_subject": 2.0}}],
    "budget": {"total": 40},
}


def _study(stimuli: pd.DataFrame, labels: pd.DataFrame, recordings: pd.DataFrame) -> StudyData:
    return StudyData.from_frames(stimuli=stimuli, labels=labels, recordings={"EEG": recordings}, config=CONFIG)


def _checks(study: StudyData) -> dict[str, Check]:
    summary = summarise(study.pilot, ("EEG",), 2, 0)
    return {check.name: check for check in assumption_checks(seen_assumptions(study, summary))}


def test_offsets_of_raters_are_subtracted_and_said() -> None:
    """Labels come closer to the truth, the remark and the check say so; the noisy rater's labels count less."""
    stimuli, labels, recordings, score = _tables(2)
    study = _study(stimuli, labels, recordings)
    assert any("raters differ in their offsets" in remark for remark in study.remarks)
    truth = score[study.pilot.label_stimulus]
    given = labels["label"].to_numpy()
    assert np.var(study.pilot.label - truth) < 0.8 * np.var(given - truth)
    assert study.pilot.subtracted is not None
    assert np.allclose(study.pilot.label + study.pilot.subtracted, given)
    check = _checks(study)["raters"]
    assert check.status == "ok"
    assert "are subtracted from the labels" in check.sentence
    assert "each label counts by its rater's precision" in check.sentence
    assert "order of the labels" not in _checks(study)


def test_labels_of_a_noisy_rater_count_less() -> None:
    """Weights follow the raters' precision; weighed means of stimuli are nearer the truth than plain ones.

    In most worlds: the test that finds unequal noise misses some, as every stimulus has only two labels.
    """
    better: list[bool] = []
    for seed in range(12):
        stimuli, labels, recordings, score = _tables(seed)
        study = _study(stimuli, labels, recordings)
        if study.pilot.weight is None:
            continue
        assert any("raters differ in their noise" in remark for remark in study.remarks)
        noise = np.array([RATERS[who][1] ** 2 for who in labels["rater"]])
        assert np.corrcoef(np.log(study.pilot.weight), -np.log(noise))[0, 1] > 0.9
        weighed = standardised_labels(study.pilot)
        plain = standardised_labels(replace(study.pilot, weight=None))
        truth = score[weighed.stimulus]
        errors = [np.var(some.mean * some.scale - truth) for some in (weighed, plain)]
        better.append(bool(errors[0] < 0.9 * errors[1]))
        assert weighed.count.sum() > 1.3 * plain.count.sum()
    assert len(better) >= 6
    assert all(better)


def test_raters_of_equal_noise_keep_equal_weights() -> None:
    """Whoever labels, each label counts one: 20 worlds, false alarms at 5 % each, so more than five have a chance of 3e-4."""
    raised = 0
    for seed in range(20):
        stimuli, labels, recordings, score = _tables(seed)
        rng = np.random.default_rng(seed)
        place = {name: row for row, name in enumerate(stimuli["stimulus"])}
        truth = score[[place[name] for name in labels["stimulus"]]]
        alike = labels.assign(label=truth + 0.8 * rng.standard_normal(len(labels)))
        raised += _study(stimuli, alike, recordings).pilot.weight is not None
    assert raised <= 5


def test_a_part_of_a_pilot_keeps_its_raters() -> None:
    """Raters and what was subtracted follow the labels."""
    study = _study(*_tables(0)[:3])
    half = np.arange(STIMULI) < 60
    part = study.pilot.restricted(half, half)
    rows = half[study.pilot.label_stimulus]
    assert study.pilot.rater is not None
    assert study.pilot.subtracted is not None
    assert part.rater is not None
    assert part.subtracted is not None
    assert np.array_equal(part.rater, study.pilot.rater[rows])
    assert np.array_equal(part.subtracted, study.pilot.subtracted[rows])
    assert part.weight is not None
    assert study.pilot.weight is not None
    assert np.array_equal(part.weight, study.pilot.weight[rows])


def test_without_raters_the_order_is_looked_at() -> None:
    """A block of noisy labels at the end of the file is a warning that says where."""
    stimuli, labels, recordings, _ = _tables(1)
    labels = (
        labels.loc[labels["rater"] != "c", ["stimulus", "label"]]
        .groupby("stimulus", as_index=False, sort=False)
        .first()
    )
    assert _checks(_study(stimuli, labels, recordings))["order of the labels"].status == "ok"
    half = len(labels) // 2
    labels.loc[half:, "label"] += 3.0 * np.random.default_rng(0).standard_normal(len(labels) - half)
    check = _checks(_study(stimuli, labels, recordings))["order of the labels"]
    assert check.status == "warn"
    assert f"of {len(labels)}, in the order of the file" in check.sentence


def test_every_pilot_hears_of_people_and_fit() -> None:
    """Both checks are there, with all numbers, and raise no alarm in a linear world with one latent for all."""
    found = _checks(_study(*_tables(2)[:3]))
    for name in ("shared by people (EEG)", "lack of fit", "same stimulus (labels)"):
        assert found[name].status == "ok"
        assert found[name].threshold is not None
    assert "R² = " in found["lack of fit"].sentence


@pytest.mark.parametrize(
    ("seen", "status", "part"),
    [
        (InCommon(share=0.5, error=0.1, people=4, known=True), "warn", "share about 50% (34% to 66%)"),
        (InCommon(share=0.8, error=0.1, people=4, known=True), "ok", "share about 80% (64% to 96%)"),
        (InCommon(share=0.5, error=0.4, people=2, known=False), "ok", "cannot tell"),
        (InCommon(share=1.0, error=None, people=2, known=False), "ok", "cannot tell"),
    ],
)
def test_what_people_share_is_only_judged_where_it_is_known(seen: InCommon, status: str, part: str) -> None:
    """The upper limit decides."""
    (check,) = assumption_checks(Assumptions(in_common={"EEG": seen}))
    assert check.status == status
    assert part in check.sentence
