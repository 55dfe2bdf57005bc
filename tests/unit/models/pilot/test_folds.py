"""Folds never split a group, are balanced and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainworth.models.pilot.folds import group_folds


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 12), min_size=3, max_size=80), st.integers(2, 6), st.integers(0, 3))
def test_groups_are_whole_and_folds_balanced(codes: list[int], n_folds: int, seed: int) -> None:
    group = np.array(codes)
    if np.unique(group).size < 2:
        return
    folds = group_folds(group, n_folds, seed)
    assert np.array_equal(folds, group_folds(group, n_folds, seed))
    for code in np.unique(group):
        assert np.unique(folds[group == code]).size == 1
    expected = min(n_folds, np.unique(group).size)
    size = np.bincount(folds, minlength=expected)
    assert np.all(size > 0)
    assert size.size == expected
    assert size.max() - size.min() <= np.bincount(group).max()


def test_seed_changes_the_folds_and_too_few_groups_fail() -> None:
    group = np.arange(40)
    assert not np.array_equal(group_folds(group, 5, 0), group_folds(group, 5, 1))
    with pytest.raises(ValueError, match="at least two groups"):
        group_folds(np.zeros(5, dtype=int), 2, 0)
