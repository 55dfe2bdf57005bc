"""What every amount of new data reaches: the form of the table that a planner in a page searches, part of `details.json`."""

from __future__ import annotations

from brainworth.design.common.records import Record


class ModalityTable(Record):
    """Explainable R² with recordings of one modality, ``[people][samples][labels]``."""

    samples: list[int]
    """New recorded samples."""
    sample_scale: float
    """Between its points the table is even in ``log(1 + samples / sample_scale)``."""
    people: list[int]
    """New people; between its points the table is even in their logarithm."""
    repeats: int = 1
    """Presentations of each stimulus."""
    most_people: int | None = None
    most_sessions_each: int | None = None
    most_sessions: int | None = None
    most_samples: int | None = None
    returning: int | None = None
    """People of the pilot, where only they may be recorded."""
    mean: list[list[list[float]]]
    """On average over studies."""
    q05: list[list[list[float]]]
    """5 % quantile of single studies."""
    q95: list[list[list[float]]]
    equivalent: list[list[list[float]]] | None = None
    """``log(1 + n / sample_scale)`` of the n samples that reach as much with the people of the pairs: where a pair is looked up."""
    components: list[list[list[list[int]]]] | None = None
    """``[component]`` before the other axes, in units of 1e-5."""
    weights: list[list[int]] | None = None
    """``[component][draw]``, in units of 0.01. What a draw of the belief reaches on average over studies is about the sum of
    components times its weights."""


class PairTable(Record):
    """What two modalities reach together beyond the sum of what each adds, ``[first's samples][second's samples][labels]``.

    It is negative where both see the same latents, and can be positive where they see different ones. Samples are those of a fixed
    number of people; other people are looked up at ``ModalityTable.equivalent`` samples.
    """

    names: tuple[str, str]
    samples: tuple[list[int], list[int]]
    labels: list[int]
    mean: list[list[list[float]]]
    q05: list[list[list[float]]]
    q95: list[list[list[float]]]
    components: list[list[list[list[int]]]] | None = None
    weights: list[list[int]] | None = None


class PerformanceTable(Record):
    """What every amount of new data reaches, with one modality or two of them; prices play no part in it."""

    labels: list[int]
    label_scale: float
    """Between its points the table is even in ``log(1 + labels / label_scale)``."""
    cubic: bool = False
    """Between its points the table is a cubic polynomial of its axes instead of linear in them."""
    most_labels: int | None = None
    modalities: dict[str, ModalityTable]
    pairs: list[PairTable] | None = None
    """Every two modalities; None in a table that was saved before there were any."""
