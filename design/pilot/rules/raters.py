"""Labels of several raters: a column each ("wide"), or a column that says who gave a label ("long").

In: the names of the columns of a table of labels; the table as it was read. Out: which columns are raters'; a table with one
label a row, in which the labels of one stimulus are repeated labels; a remark with the counts; labels without the offsets of
their raters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from brainworth.design.common.messages import quoted_list
from brainworth.design.pilot.rules.answers import Answers
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.raters import raters

if TYPE_CHECKING:
    from brainworth.design.pilot.tables.tables import Table

RATER_WORDS = ("rater", "annotator", "judge", "coder", "participant", "subject", "worker", "observer", "r", "p", "s")
"""What raters' columns are called, before their number."""
_RATER = re.compile(rf"({'|'.join(RATER_WORDS)})[-_ .]?\d+", re.IGNORECASE)


def rater_columns(names: Iterable[str], answers: Answers) -> tuple[str, ...]:
    """Return the columns that hold one rater's labels each; none if the table has a label of its own, or it is doubtful.

    They are those that the study file calls labels, several of them; or, if it says nothing, all columns but the stimulus, if they
    are called rater and a number.
    """
    names = list(names)
    said = [name for name in names if answers.columns.get(name) == "label"]
    if "label" in names or len(said) == 1:
        return ()
    others = [name for name in names if name != "stimulus"]
    return tuple(said or (others if len(others) > 1 and all(_RATER.fullmatch(name) for name in others) else ()))


def one_label_a_row(labels: Table) -> Table:
    """Return labels with one label a row, and a remark about raters if the table has some."""
    wide = rater_columns((*labels.keys, *labels.columns), labels.answers)
    if wide:
        return _stacked(labels, wide)
    if "rater" not in labels.keys:
        return labels
    people = len({who for who in labels.keys["rater"].tolist() if who})
    return _noted(labels, f"the column 'rater' names {people} raters")


def _stacked(table: Table, raters: tuple[str, ...]) -> Table:
    words = all(name in table.keys for name in raters)
    cells = np.stack([table.keys[n] if words else table.values[:, table.columns.index(n)] for n in raters], axis=1)
    given = np.array(cells != "" if words else ~np.isnan(cells.astype(float)), dtype=bool)
    row, who = np.nonzero(given)
    keys = {
        "stimulus": table.keys["stimulus"][row],
        "rater": np.array([raters[int(i)] for i in who], dtype=object),
    }
    label, empty = cells[row, who], int(np.sum(~given))
    if words:
        keys["label"] = label.astype(object)
    stacked = replace(
        table,
        keys=keys,
        columns=() if words else ("label",),
        values=np.empty((row.size, 0)) if words else label.astype(float)[:, None],
        locate=None,
        origin=lambda i: table.place(int(row[i]), raters[int(who[i])]),
    )
    gaps = f", {empty} cells are empty" if empty else ""
    return _noted(stacked, f"its columns {quoted_list(raters)} are the labels of {len(raters)} raters{gaps}")


def _noted(table: Table, what: str) -> Table:
    stimuli, count = np.unique(table.keys["stimulus"].astype(str), return_counts=True)
    few, many = (int(count.min()), int(count.max())) if count.size else (0, 0)
    each = f"{few}" if few == many else f"{few} to {many}"
    repeated = "They are repeated labels, averaged by stimulus with their counts."
    told = f"{table.source}: {what}: {len(table)} labels of {stimuli.size} stimuli, {each} each. {repeated}"
    return replace(table, notes=(*table.notes, told))


def rater_codes(table: Table) -> Int[np.ndarray, " label"]:
    """Return a number for whoever gave each label; 0 for all if the table does not say."""
    if "rater" not in table.keys:
        return np.zeros(len(table), dtype=np.int64)
    return np.unique(table.keys["rater"].astype(str), return_inverse=True)[1].reshape(-1)


def known_raters(table: Table) -> Int[np.ndarray, " label"] | None:
    """Return a number from 0 for whoever gave each label; none if the table leaves some label without one."""
    if "rater" not in table.keys or not all(table.keys["rater"].tolist()):
        return None
    return rater_codes(table)


def rater_corrected(pilot: Pilot, source: str) -> tuple[Pilot, list[str]]:
    """Return the pilot with labels less the offsets of their raters, and with weights by their raters' noise, and remarks.

    Each only where the labels show that raters differ in it, and only where some stimuli have labels of several raters: raters who
    saw different stimuli may differ because their stimuli do.
    """
    if pilot.rater is None or pilot.binary:
        return pilot, []
    found = raters(pilot.label, pilot.label_stimulus, pilot.rater)
    if found is None or not found.crossed:
        return pilot, []
    told: list[str] = []
    if found.offsets_differ:
        subtracted = found.offset[pilot.rater]
        pilot = replace(pilot, label=pilot.label - subtracted, subtracted=subtracted)
        told.append(
            f"{source}: raters differ in their offsets (standard deviation {found.offset_variance**0.5:.3g}); each label is used "
            "less the estimated offset of its rater."
        )
    if found.noise_suggested:
        noise = found.noise[pilot.rater]
        pilot = replace(pilot, weight=noise.mean() / noise)
        told.append(
            f"{source}: raters differ in their noise (the noisiest has {found.noise_ratio:.2g} times that of the least noisy one); "
            "each label counts by the estimated precision of its rater. Labels to buy are planned with the raters' mean noise."
        )
    return pilot, told
