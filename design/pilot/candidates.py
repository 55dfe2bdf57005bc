"""Candidate stimuli: a pool from which the next ones are chosen, with the features of a study's stimuli.

In: a table (csv, tsv, parquet, npz, or a data frame) with the columns stimulus, optionally group, the study's features, and
optionally a price; keys may have the names that [stimuli] columns gives them. Out: ``Candidates``. Errors: a feature of the study
that is missing, cells that are no finite numbers, ids given twice, prices that are not above 0; each is a ``BadInput`` that names
the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.build import CodeNames
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.readers import table_in_memory
from brainworth.design.pilot.rules.answers import Answers
from brainworth.design.pilot.rules.cleaning import cleaned
from brainworth.design.pilot.rules.losses import sentences
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.config import Stimuli
from brainworth.models.pilot.pilot import Pilot

if TYPE_CHECKING:
    import pandas as pd


OWN = "the study's own stimuli without labels"
"""How messages call the pool of a study that names none."""


@dataclass(frozen=True)
class Candidates:
    """Stimuli that can be labelled or recorded next."""

    stimulus: tuple[str, ...]
    """Id of each candidate."""
    group: tuple[str, ...]
    """Group of each candidate, chosen whole; the id where the table gives no groups."""
    features: Float[np.ndarray, "stimulus feature"]
    """Raw features, in the order of the study's."""
    price: Float[np.ndarray, " stimulus"]
    """Price of one measurement; 1 where the table gives none."""
    priced: bool
    """Whether the prices were given."""
    source: str
    """How messages call the table."""
    ignored: tuple[str, ...] = ()
    """Columns that are not used."""
    notes: tuple[str, ...] = ()
    """Sentences about what was left out."""

    def __len__(self) -> int:
        """Return the number of stimuli."""
        return len(self.stimulus)

    @classmethod
    def unlabelled(cls, pilot: Pilot, names: CodeNames) -> Candidates:
        """Return the stimuli of a pilot that have no label; there may be none."""
        rows = np.setdiff1d(np.arange(len(pilot.features)), pilot.label_stimulus)
        return cls(
            stimulus=tuple(names.stimuli[row] for row in rows),
            group=tuple(names.groups[code] for code in pilot.group[rows]),
            features=pilot.features[rows],
            price=np.ones(rows.size),
            priced=False,
            source=OWN,
        )

    @classmethod
    def from_table(cls, table: Table, features: Sequence[str], price: str | None = None) -> Candidates:
        """Return the candidates of a table that was read with ``wanted(features, price)``."""
        if table.answers.missing:
            table = cleaned(table, "stimuli")
        table.require_finite()
        ids = table.keys["stimulus"].tolist()
        first: dict[str, int] = {}
        for row, text in enumerate(ids):
            if first.setdefault(text, row) != row:
                wrong = f"the id {quoted(text)} is already in {table.place(first[text])}"
                raise problem(table.source, table.place(row, "stimulus"), wrong, "Every candidate has one row.")
        numbers: Float[np.ndarray, "row column"] = table.values  # noqa: PD011  (a field of Table, not of pandas)
        prices = np.ones(len(ids)) if price is None else numbers[:, table.columns.index(price)]
        low = np.flatnonzero(prices <= 0.0)
        if low.size:
            place, wrong = table.place(int(low[0]), price), f"the price is {prices[low[0]]:g}"
            raise problem(table.source, place, wrong, "Every price must be above 0.")
        return cls(
            stimulus=tuple(ids),
            group=tuple(table.keys["group"].tolist()) if "group" in table.keys else tuple(ids),
            features=numbers[:, [table.columns.index(name) for name in features]],
            price=np.array(prices, dtype=np.float64),
            priced=price is not None,
            source=table.source,
            ignored=table.ignored,
            notes=tuple(sentences(table.losses)),
        )

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, features: Sequence[str], price: str | None = None, given: Stimuli | None = None
    ) -> Candidates:
        """Return the candidates of a data frame; ``given`` is what the study file says of its stimuli."""
        return cls.from_table(table_in_memory(frame, "candidates", wanted(features, price, given)), features, price)

    @classmethod
    def from_file(
        cls, path: Path, features: Sequence[str], price: str | None = None, given: Stimuli | None = None
    ) -> Candidates:
        """Return the candidates of a file in any format of stimulus tables; ``given`` as for ``from_frame``."""
        if not path.is_file():
            raise problem(path, "", "the file does not exist", "Give a table of stimuli: csv, parquet or npz.")
        table = Folder(path).table(path.name, "candidates", wanted(features, price, given))
        return cls.from_table(table, features, price)


def wanted(features: Sequence[str], price: str | None = None, given: Stimuli | None = None) -> Wanted:
    """Return which columns a table of candidates must and may have; keys may be called as in the study's table of stimuli."""
    numbers = (*features, price) if price is not None and price not in features else tuple(features)
    answers = Answers("[stimuli]", may_lack=True)
    if given is not None:
        missing = None if given.missing is None else tuple(given.missing)
        answers = replace(answers, missing=missing, columns=dict(given.columns))
    return Wanted(("stimulus",), ("group",), numbers=numbers, number_word="feature", answers=answers)
