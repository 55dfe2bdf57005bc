"""The largest number that fits, against looking at every number."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from brainworth.design.allocation.monotone import largest

ranges = st.lists(st.tuples(st.integers(-5, 400), st.integers(0, 400), st.integers(-10, 900)), min_size=1, max_size=20)


@given(ranges)
def test_it_is_what_looking_at_every_number_finds(rows: list[tuple[int, int, int]]) -> None:
    low, width, top = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    found = largest(lambda numbers: numbers <= top, low, low + width)
    every = [max([n for n in range(a, a + w + 1) if n <= t], default=a) for a, w, t in rows]
    assert found.tolist() == every


def test_a_million_takes_few_calls_and_two_axes_are_kept() -> None:
    calls = 0
    top = np.array([[0, 17, 999_999], [1_000_000, 5_000_000, 1]])

    def fits(numbers: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return numbers <= top

    zero = np.zeros_like(top)
    assert largest(fits, zero, zero + 1_000_000).tolist() == np.minimum(top, 1_000_000).tolist()
    assert calls <= 6
