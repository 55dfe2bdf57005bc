"""From tables to a ``Pilot``: ids become row numbers, people recordings; every rule between tables is checked.

In: the stimulus, label and recording tables of a study. Out: ``models.pilot.Pilot``, the names that its codes stand for, and
remarks. Errors: unknown or doubled ids, constant columns, too few samples, labels without variation; each is a ``BadInput`` with
its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.gram import Gram
from brainworth.design.pilot.kernel import described
from brainworth.design.pilot.large import require_room, stored_person
from brainworth.design.pilot.new_stimuli import New, grouped
from brainworth.design.pilot.prepare import PilotTables, prepared
from brainworth.design.pilot.rules.answers import either
from brainworth.design.pilot.rules.blocks import FeatureBlock
from brainworth.design.pilot.rules.channel_copies import copied_channels, said_copies
from brainworth.design.pilot.rules.losses import Loss, kept_out, sentences
from brainworth.design.pilot.rules.raters import known_raters, rater_corrected
from brainworth.design.pilot.rules.spelling import options, unknown_spelling
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.tables import Table
from brainworth.models.pilot.pilot import Pilot, Recording

if TYPE_CHECKING:
    from brainworth.models.pilot.kernel import KernelMap

MIN_STIMULI = 20
"""Fewest different stimuli recorded in a modality with a pilot."""
MIN_PERSON = 10
"""Fewest samples of one person."""
MIN_LABELLED = 20
"""Fewest different labelled stimuli."""
MIN_GROUPS = 3
"""Fewest groups among recorded, and among labelled, stimuli: one each to fit, to tune and to test."""
_CONSTANT = 1e-12

STIMULI = Wanted(("stimulus",), ("group",), number_word="feature")
RECORDINGS = Wanted(("subject", "stimulus"), ("session", "repeat"), number_word="channel")
IDS = Wanted(("subject", "stimulus"), ("session", "repeat"), numbers=(), number_word="channel")
LABELS = Wanted(("stimulus",), ("rater",), numbers=("label",), number_word="label")
BINARY_LABELS = Wanted(("stimulus", "label"), ("rater",), numbers=(), number_word="label")


@dataclass(frozen=True)
class CodeNames:
    """What the codes of a ``Pilot`` stand for."""

    stimuli: tuple[str, ...]
    """Id of each row of the features."""
    features: tuple[str, ...]
    """Name of each feature."""
    groups: tuple[str, ...]
    """Name of each group code; the stimulus ids if the study gives no groups."""
    channels: Mapping[tuple[str, str], tuple[str, ...]]
    """Channel names by (modality, subject)."""
    classes: tuple[str, str] | None = None
    """What -1 and +1 stand for in a binary task."""
    blocks: tuple[str, ...] = ()
    """Name of each block of features; empty if the study names none."""


def codes(texts: Sequence[str] | np.ndarray) -> tuple[Int[np.ndarray, " row"], tuple[str, ...]]:
    """Return the code of each text, in order of first appearance, and the texts the codes stand for."""
    order: dict[str, int] = {}
    numbers = np.array([order.setdefault(text, len(order)) for text in texts], dtype=np.int64)
    return numbers, tuple(order)


def _first_duplicate(keys: Sequence[object]) -> tuple[int, int] | None:
    """Return the rows of the first repeated key: (second, first)."""
    seen: dict[object, int] = {}
    for row, key in enumerate(keys):
        if key in seen:
            return row, seen[key]
        seen[key] = row
    return None


def constant(values: Float[np.ndarray, "row column"]) -> np.ndarray:
    """Return which columns have no variation beyond rounding."""
    return np.ptp(values, axis=0) <= _CONSTANT * np.max(np.abs(values), axis=0)


def _check_stimuli(table: Table) -> None:
    twice = _first_duplicate(table.keys["stimulus"].tolist())
    if twice:
        raise problem(
            table.source,
            table.place(twice[0], "stimulus"),
            f"the id {quoted(table.keys['stimulus'][twice[0]])} is already in {table.place(twice[1])}",
            "Every stimulus has one row.",
        )
    table.require_finite()
    flat = np.flatnonzero(constant(table.values))
    if flat.size:
        names = [table.columns[i] for i in flat]
        raise problem(
            table.source,
            f"column {quoted(names[0])}",
            f"the feature is constant ({table.values[0, flat[0]]:g} in every row)"
            + (f", and so are {quoted_list(names[1:])}" if len(names) > 1 else ""),
            "A feature must differ between stimuli; leave the column out.",
        )


def _rows_of(table: Table, index: Mapping[str, int], stimuli: str) -> Int[np.ndarray, " row"]:
    """Return the feature row of each table row, or raise for the first unknown stimulus."""
    ids = table.keys["stimulus"]
    rows = np.array([index.get(text, -1) for text in ids], dtype=np.int64)
    unknown = np.flatnonzero(rows < 0)
    if unknown.size:
        first = int(unknown[0])
        total = len(set(ids[unknown].tolist()))
        near = unknown_spelling(ids[first], index)
        hint = did_you_mean(ids[first], index)
        if near is not None:
            asked = either("It differs from that only in its spelling.", options("stimulus")[:1])
            hint = f" Did you mean {quoted(near)}? {asked}"
        raise problem(
            table.source,
            table.place(first, "stimulus"),
            f"the stimulus {quoted(ids[first])} is not in {stimuli}"
            + (f" ({total} unknown ids in all)" if total > 1 else ""),
            f"Every stimulus needs a row of features there.{hint}{table.advice}",
        )
    return rows


def _check_groups(source: str, what: str, group: np.ndarray, names: tuple[str, ...]) -> None:
    present = np.unique(group)
    if present.size < MIN_GROUPS:
        raise problem(
            source,
            "",
            f"the number of groups among the {what} stimuli is {present.size} ({quoted_list(names[g] for g in present)})",
            f"At least {MIN_GROUPS} groups are needed, because a group is never split between fitting and testing.",
        )


def _person(
    table: Table, subject: str, mask: np.ndarray
) -> tuple[Float[np.ndarray, "sample channel"], tuple[str, ...]]:
    """Return the channels of one person; a channel without a single value is missing for them and left out."""
    values = table.values[mask]
    there = ~np.all(np.isnan(values), axis=0)
    rows = np.flatnonzero(mask)
    if not there.any():
        table.require_finite(mask)
    bad = ~np.isfinite(values[:, there])
    if bad.any():
        names = tuple(np.array(table.columns)[there].tolist())
        part = replace(table, keys={}, columns=names, values=table.values[:, there])
        part.require_finite(mask)
    flat = np.flatnonzero(constant(values[:, there])) if rows.size > 1 else np.array([], dtype=int)
    names = tuple(name for name, keep in zip(table.columns, there, strict=True) if keep)
    if flat.size:
        raise problem(
            table.source,
            f"column {quoted(names[flat[0]])}",
            f"the channel is constant for subject {quoted(subject)}",
            "A channel must vary; leave its cells empty for a person who lacks it, or leave the column out.",
        )
    return values[:, there], names


@dataclass(frozen=True)
class _Stimuli:
    """The stimulus table, indexed."""

    source: str
    index: dict[str, int]
    group: Int[np.ndarray, " stimulus"]
    groups: tuple[str, ...]
    features: int


def _recordings(
    modality: str, table: Table, stimuli: _Stimuli
) -> tuple[list[Recording], dict[str, tuple[str, ...]], list[str]]:
    """Return the recordings of one modality by person, their channel names, and remarks."""
    rows = _rows_of(table, stimuli.index, stimuli.source)
    distinct = np.unique(rows).size
    if distinct < MIN_STIMULI:
        raise problem(
            table.source,
            "",
            f"{modality} was recorded to {distinct} different stimuli",
            f"At least {MIN_STIMULI} are needed; without a usable pilot, omit recordings and plan from the prior.",
        )
    _check_groups(table.source, "recorded", stimuli.group[rows], stimuli.groups)
    person, people = codes(table.keys["subject"])
    if table.rows is not None:
        require_room(len(people), stimuli.features, len(table.columns), table.source)
    recordings: list[Recording] = []
    channels: dict[str, tuple[str, ...]] = {}
    remarks: list[str] = []
    copied: dict[str, tuple[tuple[str, str], ...]] = {}
    for code, subject in enumerate(people):
        mask = person == code
        if mask.sum() < MIN_PERSON:
            raise problem(
                table.source,
                table.place(int(np.flatnonzero(mask)[0]), "subject"),
                f"subject {quoted(subject)} has {int(mask.sum())} samples",
                f"Everyone needs at least {MIN_PERSON}; leave this person out.",
            )
        if table.rows is None:
            values, names = _person(table, subject, mask)
            own, copied[subject] = copied_channels(values, names)
            values = values[:, own] if copied[subject] else values
        else:
            values = stored_person(table, np.flatnonzero(mask), subject)
            names = values.names
            own, copied[subject] = copied_channels(values.some(), names)
            values = values.with_channels(own) if copied[subject] else values
        lacking = len(table.columns) - len(names)
        names = tuple(names[i] for i in own)
        if lacking:
            remarks.append(
                f"{table.source}: subject {quoted(subject)} lacks {lacking} of {len(table.columns)} channels."
            )
        session = codes(table.keys["session"][mask])[0] if "session" in table.keys else None
        recordings.append(Recording(modality, subject, rows[mask], values, session))
        channels[subject] = names
    return recordings, channels, [*remarks, *said_copies(table.source, copied)]


def _binary(table: Table) -> tuple[Float[np.ndarray, " label"], tuple[str, str]]:
    """Return labels of -1 and +1 and what they stand for: the smaller number, or the first text by alphabet, is -1."""
    texts = table.keys["label"].tolist()
    try:
        found = sorted({float(t) for t in texts})
        values = np.array([float(t) for t in texts])
        names = [f"{v:g}" for v in found]
    except ValueError:
        names = found = sorted(set(texts))
        values = np.array(texts, dtype=object)
    if len(found) != 2:
        verb = "are all equal" if len(found) == 1 else f"take {len(found)} values"
        raise problem(
            table.source,
            "column 'label'",
            f"the labels of a binary task {verb} ({quoted_list(names)})",
            "They must take exactly two values, or set task.kind = 'regression'.",
        )
    return np.where(values == found[1], 1.0, -1.0), (names[0], names[1])


def _labels(table: Table, stimuli: _Stimuli) -> tuple[np.ndarray, np.ndarray, tuple[str, str] | None]:
    rows = _rows_of(table, stimuli.index, stimuli.source)
    classes = None
    if "label" in table.keys:
        values, classes = _binary(table)
    else:
        table.require_finite()
        values = table.values[:, table.columns.index("label")]
        if constant(values[:, None])[0]:
            raise problem(
                table.source,
                "column 'label'",
                f"all {values.size} labels are equal ({values[0]:g})",
                "The labels must vary: there is nothing to predict otherwise.",
            )
    distinct = np.unique(rows).size
    if distinct < MIN_LABELLED:
        raise problem(
            table.source, "", f"{distinct} different stimuli are labelled", f"At least {MIN_LABELLED} are needed."
        )
    _check_groups(table.source, "labelled", stimuli.group[rows], stimuli.groups)
    return rows, values, classes


def _members(table: Table, recordings: Mapping[str, Table]) -> tuple[np.ndarray, list[str]]:
    """Return the group of each stimulus, and what to tell the user: given, or the run it was recorded in, or itself."""
    if "group" in table.keys:
        return table.keys["group"], []
    runs: dict[str, set[str]] = {}
    for recorded in recordings.values():
        if recorded.runs:
            for stimulus, run in zip(recorded.keys["stimulus"], recorded.keys["session"], strict=True):
                runs.setdefault(stimulus, set()).add(run)
    ids = table.keys["stimulus"]
    if not runs:
        return ids, []
    names = {run for several in runs.values() for run in several}
    if max(len(several) for several in runs.values()) > 1 or len(names) < MIN_GROUPS:
        why = "stimuli occur in several runs" if len(names) >= MIN_GROUPS else f"there are fewer than {MIN_GROUPS} runs"
        return ids, [f"{table.source}: no groups are given and {why}: every stimulus is a group of its own."]
    told = f"{table.source}: no groups are given: stimuli of one run are a group and never split across folds."
    return np.array([next(iter(runs.get(text, {text}))) for text in ids], dtype=object), [told]


@dataclass(frozen=True)
class Built:
    """A pilot and what there is to say of it."""

    pilot: Pilot
    """The pilot, as plain arrays."""
    names: CodeNames
    """What its codes stand for."""
    remarks: tuple[str, ...]
    """Sentences about what was left out, mended or ignored."""
    losses: tuple[Loss, ...]
    """What was left out or changed, counted by reason and person."""
    kernel: KernelMap | None = None
    """How new stimuli get the kernel's features; none without a kernel."""


def build_pilot(
    tables: PilotTables,
    spelling: Mapping[str, str | None] | None = None,
    blocks: Sequence[FeatureBlock] = (),
    new: New | None = None,
    gram: Gram | None = None,
) -> Built:
    """Return the pilot, the names behind its codes and remarks for the user.

    Parameters
    ----------
    tables : PilotTables
        As they were read.
    spelling : mapping, optional
        As ``prepare.prepared`` takes it.
    blocks : sequence of FeatureBlock, optional
        Blocks of features that the study names.
    new : "tokens" or "types", optional
        What new stimuli are, where the stimuli have types.
    gram : Gram, optional
        A kernel over the stimuli, whose features join those of the table.

    Raises
    ------
    BadInput
        See the module's docstring; the message names table, row and column.
    """
    tables = prepared(tables, spelling or {})
    _check_stimuli(tables.stimuli)
    known = described(tables.stimuli, gram, blocks)
    table = known.table
    ids = tuple(table.keys["stimulus"].tolist())
    members, told = _members(table, tables.recordings)
    grouping = grouped(members, table.keys.get("type"), new, table.source, MIN_GROUPS)
    told += [*known.remarks, *grouping.remarks]
    group, groups = codes(grouping.members)
    stimuli = _Stimuli(table.source, {text: row for row, text in enumerate(ids)}, group, groups, len(table.columns))
    recordings: list[Recording] = []
    channels: dict[tuple[str, str], tuple[str, ...]] = {}
    losses = tuple(loss for t in tables.all for loss in t.losses)
    remarks = told + [kept_out(t.source, t.ignored) for t in tables.all if t.ignored]
    remarks += [note for t in tables.all for note in t.notes] + sentences(losses)
    for modality, recorded in tables.recordings.items():
        people, names, more = _recordings(modality, recorded, stimuli)
        recordings += people
        channels |= {(modality, subject): value for subject, value in names.items()}
        remarks += more
    rows, values, classes = _labels(tables.labels, stimuli)
    rater = known_raters(tables.labels)
    pilot = Pilot(
        features=table.values,
        group=group,
        recordings=tuple(recordings),
        label_stimulus=rows,
        label=values,
        binary=classes is not None,
        block=known.block,
        rater=rater,
        by_tokens=grouping.by_tokens,
        by_types=grouping.by_types,
        kind=grouping.kinds,
        kernel=known.kernel,
    )
    pilot, more = rater_corrected(pilot, tables.labels.source)
    remarks += more
    names = CodeNames(ids, table.columns, groups, channels, classes, known.blocks)
    return Built(pilot, names, tuple(remarks), losses, known.map)
