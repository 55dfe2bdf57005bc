"""The study file as typed, frozen models: every key, its default, its range, and what must hold between keys.

In: the parsed TOML of ``study.toml`` (or a dict of the same form). Out: ``StudyConfig``. Errors: unknown keys, values out of
range and contradictions; ``parse_study`` turns each into a ``BadInput`` that names the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from brainworth.design.common.fields import (
    Columns,
    CountOrZero,
    LabelColumns,
    MissingValues,
    RelativePath,
    Section,
    StimulusColumns,
    Text,
)
from brainworth.design.common.messages import did_you_mean, problem, quoted
from brainworth.design.common.validation import explain, value_problem
from brainworth.design.study_file.aim import Budget, Objective
from brainworth.design.study_file.constraint import Constraint, check_constraints
from brainworth.design.study_file.design import StudyDesign
from brainworth.design.study_file.modality import FREE, Modality, Tiers
from brainworth.design.study_file.money import Price
from brainworth.design.study_file.priors import Priors


class Spelling(Section):
    """[study.spelling]: whether names that differ only in their spelling are one ("merge", called as the first) or not ("exact").

    Spelling is capitals, zero-padding, "sub-", dashes and blanks. Without a word, such names are asked about where they occur.
    """

    subject: Literal["merge", "exact"] | None = None
    """People: S1 and s1, 1 and 01, sub-1 and 1."""
    stimulus: Literal["merge", "exact"] | None = None
    """Ids of stimuli, within and between the tables."""
    group: Literal["merge", "exact"] | None = None
    """Groups of stimuli."""
    session: Literal["merge", "exact"] | None = None
    """Sessions of one person."""
    label: Literal["merge", "exact"] | None = None
    """Classes of a binary task: Yes and yes."""


class About(Section):
    """[study]: what the study is called, and its seed."""

    title: Text = "Untitled study"
    """Title, shown in the report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of every random number."""
    data_root: Text | None = None
    """Folder that the other paths start from; default the folder of the study file. A folder elsewhere (absolute, or by ..) is
    only read if the one who runs the command allows it, by --allow-outside."""
    spelling: Spelling = Spelling()
    """Names that differ only in their spelling."""


class Block(Section):
    """[[stimuli.block]]: features that belong together, such as word vectors beside word frequency.

    How much a block explains is learned from the pilot. Features of no block are one more block together.
    """

    name: Text
    """Name of the block."""
    columns: Annotated[list[Text], Field(min_length=1, max_length=10_000)]
    """Its features; * in a name stands for any characters: ["glove_*"]."""


class Stimuli(Section):
    """[stimuli]: the features of every stimulus that was recorded or labelled."""

    table: RelativePath | None = None
    """csv, tsv, parquet, npz, h5, nc or zarr: `stimulus` = unique id; optional `group` (never split across folds); every
    other column is one numeric feature."""
    kernel: RelativePath | None = None
    """Gram matrix of a kernel over the stimuli (RBF, NTK, ...), used as their features, beside those of the table if it has any.
    npz with the arrays `stimulus` (ids) and `gram`, optionally `group`; without a table, its stimuli are the study's."""
    columns: StimulusColumns = Field(default_factory=dict)
    """Keys that have another name in the table, e.g. { word = "stimulus", sentence = "group" }."""
    ignore: Columns = Field(default_factory=list)
    """Columns that are no features, to leave out."""
    type: Text | None = None
    """Column that names what a stimulus is a token of, e.g. "word" where words occur in several sentences."""
    new: Literal["tokens", "types"] | None = None
    """What the plan's new stimuli will be: further tokens of types like the pilot's (the default), or new types. With types,
    no type is split across folds. Needs `type`."""
    keep: Columns = Field(default_factory=list)
    """Columns that are features although they are called like bookkeeping (run, trial, ...), count the rows, or equal the label."""
    missing: MissingValues | None = None
    """Numbers or texts that mean "no value", e.g. [-999]: stimuli with such a cell are left out, with their labels and recordings.
    An empty list: there are none, every number is real."""
    block: Annotated[list[Block], Field(max_length=20)] = Field(default_factory=list)
    """Blocks of features that may matter differently."""

    @model_validator(mode="after")
    def _types_are_named(self) -> Self:
        if self.new is not None and self.type is None:
            right = 'Add type = "...", the column of the table of stimuli that names what each is a token of.'
            raise value_problem(f"new = {quoted(self.new)} says something of types, but no column names them", right)
        return self


class Task(Section):
    """[task]: what the model is trained to predict, and what a label costs."""

    labels: RelativePath | None = None
    """Table with the columns stimulus and label, optionally rater; several rows of a stimulus are repeated labels. Instead of
    label, columns rater1, rater2, ...: one rater's labels each. Not needed with [system]."""
    columns: LabelColumns = Field(default_factory=dict)
    """Keys that have another name in the table, e.g. { word = "stimulus", rating = "label" }. Several columns called label are
    those of several raters: { anna = "label", ben = "label" }."""
    missing: MissingValues | None = None
    """Labels that mean "no label", e.g. [-999] or ["n/a"]: such rows are left out. An empty list: there are none."""
    duplicates: Literal["drop", "keep"] | None = None
    """Labels that occur twice with the same value: drop the copies, or keep them as labels of their own."""
    kind: Literal["regression", "binary"] = "regression"
    """regression, or binary (two different labels)."""
    cost_per_label: Price
    """Price of one label; a number, or [low, high] as a 90 % interval."""
    max_labels: CountOrZero | None = None
    """Most new labels that can be bought."""
    min_labels: CountOrZero = 0
    """Fewest new labels to buy."""
    tiers: Tiers = Field(default_factory=list)
    """Volume prices: answers beyond `above` cost `price` instead of `cost_per_label`."""
    raters: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Answers paid for each new label, where a label is the mean of several raters' (every row of `labels` must then be such a
    mean: a new label is taken to be as noisy as one of them)."""
    setup: Price = FREE
    """Paid once, if the plan buys any label."""


class KnownSystem(Section):
    """[system]: plan for known parameters instead of a pilot."""

    file: RelativePath
    """The system file; its sources are matched to the modalities by name."""


class StudyConfig(Section):
    """A study file."""

    study: About = About()
    """Title and seed."""
    stimuli: Stimuli | None = None
    """Stimulus features; not needed with [system]."""
    task: Task
    """The task and the price of its labels."""
    modality: Annotated[list[Modality], Field(min_length=1, max_length=32)]
    """The modalities, one [[modality]] block each."""
    budget: Budget = Budget()
    """Money and time."""
    objective: Objective = Objective()
    """Which plan is best."""
    design: StudyDesign = StudyDesign()
    """Which stimuli the plan's labels are for."""
    constraint: Annotated[list[Constraint], Field(max_length=100)] = Field(default_factory=list)
    """Conditions of your own, one [[constraint]] block each."""
    system: KnownSystem | None = None
    """Known parameters, instead of any pilot."""
    priors: Priors = Priors()
    """Overrides of the literature priors."""

    @property
    def modality_names(self) -> tuple[str, ...]:
        """Names of the modalities, in the order of the file."""
        return tuple(m.name for m in self.modality)

    @model_validator(mode="after")
    def _names_match(self) -> Self:
        seen: dict[str, str] = {}
        for name in self.modality_names:
            if name.casefold() in seen:
                raise value_problem(
                    f"two modalities are called {quoted(name)}", "Give each a name of its own (capitals do not count)."
                )
            seen[name.casefold()] = name
        for name in self.priors.modality:
            if name not in self.modality_names:
                hint = did_you_mean(name, self.modality_names)
                raise value_problem(
                    f"priors.modality names {quoted(name)}, which is no modality of the study",
                    f"The modalities are {', '.join(map(quoted, self.modality_names))}.{hint}",
                )
        return self

    @model_validator(mode="after")
    def _summaries_or_recordings(self) -> Self:
        recorded = [m.name for m in self.modality if m.recordings is not None]
        if recorded and any(m.summaries for m in self.modality):
            right = "Summarise these recordings, too (brainworth summarise), and name the file in summaries."
            wrong = f"some modalities have summaries, and {quoted(recorded[0])} has recordings"
            raise value_problem(wrong, right)
        return self

    @model_validator(mode="after")
    def _constraints_name_quantities(self) -> Self:
        check_constraints(self.constraint, self.modality_names)
        return self

    @model_validator(mode="after")
    def _aim_is_complete(self) -> Self:
        aim = self.objective
        if aim.target is None and aim.utility == "probability":
            raise value_problem("objective.utility = 'probability' needs a target", "Add objective.target, e.g. 0.6.")
        if aim.target is None and self.budget.total is None:
            raise value_problem(
                "neither a budget nor a target is given",
                "Add budget.total, or objective.target to get the cheapest plan that reaches it.",
            )
        if self.budget.total is None and self.budget.rounds > 1:
            raise value_problem("budget.rounds is given without budget.total", "Rounds are compared at a budget.")
        task = self.task
        last_price = task.tiers[-1].price if task.tiers else task.cost_per_label
        if last_price == FREE and task.max_labels is None:
            raise value_problem(
                "labels are free and without limit", "Give task.cost_per_label a price, or task.max_labels."
            )
        if task.max_labels is not None and task.min_labels > task.max_labels:
            raise value_problem(
                f"task.min_labels = {task.min_labels} is above task.max_labels = {task.max_labels}",
                "The minimum must not exceed the maximum.",
            )
        return self


def parse_study(data: Mapping[str, Any], file: object = "the study configuration") -> StudyConfig:
    """Return the validated study, or raise ``BadInput`` naming the key that is wrong.

    Parameters
    ----------
    data : mapping
        Parsed TOML, or a dict of the same form.
    file : object
        What to call the source in messages.
    """
    try:
        return StudyConfig.model_validate(dict(data))
    except ValidationError as error:
        raise explain(error, StudyConfig, file, data) from None


def whole_study(
    source: str, config: StudyConfig | Mapping[str, Any] | None, blocks: Mapping[str, Any]
) -> StudyConfig | Mapping[str, Any]:
    """Return the configuration of a study that is made in Python: the whole of it, or made of blocks."""
    if config is not None:
        if blocks:
            raise problem(source, "config", "both config and blocks are given", "Give config, or the blocks alone.")
        return config
    for block, argument in (("task", "task"), ("modality", "modalities")):
        if block not in blocks:
            right = 'Give task=Task(cost_per_label=...) and modalities=[Modality(name="EEG", ...)], or config.'
            raise problem(source, "", f"{argument} is missing", right)
    return parse_study(blocks)
