"""Tokens and types: what folds never split, what the study file may say, and what both kinds of folds show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.new_stimuli import grouped, joined
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior import fingerprint
from brainworth.design.posterior.assumption_checks import assumption_checks
from brainworth.design.posterior.assumptions import seen_assumptions
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.item_types import TokensAndTypes, tokens_and_types
from brainworth.models.pilot.lack_of_fit import STANDARD_ERRORS, WORTH
from brainworth.models.pilot.summary import summarise

STIMULI, TYPES, SEEN = 240, 48, 60


def _world(seed: int, own: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and types; ``own`` is the standard deviation of what a type adds that features do not explain.

    Tokens of a type are alike in most of their features, as a word's vectors are.
    """
    rng = np.random.default_rng(seed)
    kind = rng.permutation(STIMULI) % TYPES
    x = rng.standard_normal((TYPES, SEEN))[kind] + 0.3 * rng.standard_normal((STIMULI, SEEN))
    score = x @ rng.standard_normal(SEEN) / np.sqrt(SEEN)
    return x, score + own * rng.standard_normal(TYPES)[kind] + 0.5 * rng.standard_normal(STIMULI), kind


def _alarm(found: TokensAndTypes | None) -> bool:
    assert found is not None
    return found.by_tokens - found.by_types > max(STANDARD_ERRORS * found.error, WORTH)


def test_stimuli_that_share_a_type_or_a_group_hang_together() -> None:
    """0 and 1 by group, 1 and 2 by type; 3 is alone."""
    found = joined(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]))
    assert len({*found[:3].tolist()}) == 1
    assert found[3] != found[0]


def test_what_types_add_is_lost_on_new_types() -> None:
    """Most of 10 worlds in which a type adds as much as the features say show it."""
    found = [tokens_and_types(x, y, np.arange(STIMULI), kind) for x, y, kind in (_world(s, 1.0) for s in range(10))]
    assert sum(_alarm(one) for one in found) >= 7


def test_types_that_mean_nothing_hardly_ever_alarm() -> None:
    """Types at random: two alarms or more in 40 worlds have a probability of 2 % at a rate of 0.5 %."""
    alarms = 0
    for seed in range(40):
        x, y, kind = _world(seed, 1.0)
        alarms += _alarm(tokens_and_types(x, y, np.arange(STIMULI), np.random.default_rng(seed).permutation(kind)))
    assert alarms <= 1


def _study(**stimuli: Any) -> StudyData:
    rng = np.random.default_rng(0)
    x, y, kind = _world(0, 1.0)
    ids = [f"t{i}" for i in range(STIMULI)]
    table = pd.DataFrame(x, columns=[f"f{i}" for i in range(SEEN)])
    table.insert(0, "stimulus", ids)
    table.insert(1, "word", [["none", "na", "null"][k] if k < 3 else f"word{k}" for k in kind])
    channels = pd.DataFrame(rng.standard_normal((STIMULI, 5)) + y[:, None], columns=[f"c{i}" for i in range(5)])
    channels.insert(0, "stimulus", ids)
    channels.insert(0, "subject", "p")
    config = {
        "stimuli": stimuli,
        "task": {"cost_per_label": 1.0},
        "modality": [{"name": "EEG", "cost": {"per_sample": 0.1, "per_subject": 2.0}}],
        "budget": {"total": 40},
    }
    labels = pd.DataFrame({"stimulus": ids, "label": y})
    return StudyData.from_frames(stimuli=table, labels=labels, recordings={"EEG": channels}, config=config)


def test_new_types_are_never_split_and_new_tokens_are() -> None:
    """Folds of the pilot; words that are called none, na and null are words."""
    types, tokens = _study(type="word", new="types"), _study(type="word", new="tokens")
    assert types.pilot.by_types is not None
    kind = types.pilot.by_types
    assert np.unique(kind).size == TYPES
    for study, whole in ((types, True), (tokens, False)):
        folds = group_folds(study.pilot.group, 5, 0)
        assert all(np.unique(folds[kind == k]).size == 1 for k in range(TYPES)) is whole
    assert any("never split across folds" in remark for remark in types.remarks)
    assert len(types.names.groups) == TYPES
    for study in (types, tokens):
        assert study.pilot.kind is not None
        assert np.unique(np.stack([study.pilot.kind, kind]), axis=1).shape[1] == TYPES


def test_a_type_without_a_word_on_new_stimuli_is_remarked() -> None:
    """Tokens are the default."""
    study = _study(type="word")
    assert any("taken to be further tokens" in remark and 'new = "types"' in remark for remark in study.remarks)
    assert np.unique(study.pilot.group).size == STIMULI


def test_both_fits_are_shown() -> None:
    """The loss is a warning where folds split types: tests inside the pilot are then about new tokens."""
    for new, status, part in (
        ("tokens", "warn", "If you will buy new types"),
        ("types", "ok", "the first of its type"),
    ):
        study = _study(type="word", new=new)
        summary = summarise(study.pilot, ("EEG",), 2, 0)
        (check,) = [c for c in assumption_checks(seen_assumptions(study, summary)) if c.name == "tokens and types"]
        assert check.status == status
        assert part in check.sentence


def test_saved_posteriors_of_studies_with_types_alone_depend_on_the_model_of_types(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A later model of types has those fitted again, and no others."""
    studies = _study(ignore=["word"]), _study(type="word", new="types")
    before = [fingerprint.fingerprint(study, 0) for study in studies]
    monkeypatch.setattr(fingerprint, "TYPE_MODEL", fingerprint.TYPE_MODEL + 1)
    after = [fingerprint.fingerprint(study, 0) for study in studies]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize(
    ("stimuli", "part"),
    [
        ({"new": "types"}, "no column names them"),
        ({"type": "word", "new": "kinds"}, "'tokens' or 'types'"),
        ({"type": "wort"}, "wort"),
        ({"typ": "word"}, "Did you mean"),
    ],
)
def test_what_is_wrong_with_types_is_said(stimuli: dict[str, str], part: str) -> None:
    """One clear paragraph each."""
    with pytest.raises(BadInput, match=part):
        _study(**stimuli)


def test_types_that_chain_all_groups_are_refused() -> None:
    """A word that is in every sentence leaves one part."""
    members, types = np.array(["s1", "s1", "s2", "s2"], dtype=object), np.array(["the", "a", "the", "b"], dtype=object)
    with pytest.raises(BadInput, match="hang together in 1 part:"):
        grouped(members, types, "types", "stimuli.csv", 3)
