"""What a configuration asks of the tables of stimuli, labels and candidates, and these tables as it names them.

In: a configuration, a folder or objects in memory. Out: the columns that are wanted, and tables with them. A table that is missing
where one is needed, or given where none is asked for, is a ``BadInput``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from brainworth.design.common.files import reading
from brainworth.design.common.messages import problem, quoted
from brainworth.design.pilot.build import BINARY_LABELS, LABELS, STIMULI, CodeNames
from brainworth.design.pilot.candidates import wanted
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.gram import Gram, gram_from_file
from brainworth.design.pilot.readers import table_in_memory
from brainworth.design.pilot.rules.answers import Answers
from brainworth.design.pilot.rules.blocks import FeatureBlock
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.config import StudyConfig

if TYPE_CHECKING:
    import pandas as pd


def pool_in_memory(candidates: pd.DataFrame | None, config: StudyConfig, names: CodeNames) -> Table | None:
    """Return the table of candidates of a study in memory, if there is one."""
    chosen, named = config.design.chosen_stimuli, config.design.candidates
    if candidates is None:
        if chosen and named is not None:
            wrong = f"the configuration names {quoted(named)}, and paths in it are not read"
            raise problem("candidates", "", wrong, "Give the table itself: candidates=pandas.read_csv(...).")
        return None
    if not chosen:
        wrong = "stimuli to choose from are given, and the study chooses none"
        right = 'Add design={"chosen_stimuli": True}, or leave candidates out.'
        raise problem("candidates", "", wrong, right)
    return table_in_memory(candidates, "candidates", wanted(names.features, given=config.stimuli))


def blocks_of(config: StudyConfig) -> list[FeatureBlock]:
    """Return the named blocks of features, each with a variance of its own."""
    given = config.stimuli.block if config.stimuli else []
    return [FeatureBlock(block.name, tuple(block.columns)) for block in given]


def label_columns(config: StudyConfig) -> Wanted:
    """Return which columns the table of the labels must have."""
    task = config.task
    missing = None if task.missing is None else tuple(task.missing)
    answers = Answers("[task]", missing=missing, duplicates=task.duplicates, columns=dict(task.columns))
    return replace(BINARY_LABELS if task.kind == "binary" else LABELS, answers=answers)


def stimuli_of(config: StudyConfig, folder: Folder) -> tuple[Table | None, Gram | None]:
    """Return the table of the stimuli that a study file names, and its kernel; the kernel's stimuli if there is no table."""
    given, gram = config.stimuli, None
    if given is not None and given.kernel is not None:
        with reading(given.kernel):
            gram = gram_from_file(folder.path(given.kernel, "stimuli > kernel"), given.kernel)
    if given is not None and given.table is not None:
        columns = _stimulus_columns(config, features=gram is None)
        return folder.table(given.table, "stimuli > table", columns), gram
    return None if gram is None else gram.stimuli(), gram


def table_of(stimuli: Any, gram: Gram | None, config: StudyConfig) -> Table:
    """Return the table of the stimuli in memory; the kernel's stimuli if there is none."""
    if stimuli is not None:
        return table_in_memory(stimuli, "stimuli", _stimulus_columns(config, features=gram is None))
    if gram is None:
        raise problem("Study.from_frames", "stimuli", "the stimuli are missing", "Give a table of stimuli, or kernel.")
    return gram.stimuli()


def _stimulus_columns(config: StudyConfig, *, features: bool = True) -> Wanted:
    """Return which columns the table of the stimuli must have; no features where a kernel stands for them."""
    return replace(_named_columns(config), may_lack_numbers=not features)


def _named_columns(config: StudyConfig) -> Wanted:
    given = config.stimuli
    if given is None:
        return replace(STIMULI, answers=Answers("[stimuli]"))
    missing = None if given.missing is None else tuple(given.missing)
    columns: dict[str, str] = dict(given.columns)
    own = STIMULI
    if given.type is not None:
        own = replace(STIMULI, required=(*STIMULI.required, "type"))
        columns |= {given.type: "type"} if given.type != "type" else {}
    answers = Answers("[stimuli]", tuple(given.ignore), tuple(given.keep), missing, columns=columns)
    return replace(own, answers=answers)
