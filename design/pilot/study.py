"""A study: its configuration, its pilot or known system, and the hashes of everything that was read.

In: a study file, or data frames, arrays and MNE epochs with a configuration. Out: ``StudyData``, validated. What can go
wrong: everything a user can write; each is a ``BadInput`` of one paragraph that names file, place, what is wrong and
what would be right. Paths are relative to the study file and cannot leave its folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Float

from brainworth.design.common.files import sha256
from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.common.toml_files import read_toml
from brainworth.design.pilot.arrays import digest_of
from brainworth.design.pilot.build import CodeNames, PilotTables, build_pilot
from brainworth.design.pilot.candidates import Candidates, wanted
from brainworth.design.pilot.configured_tables import blocks_of, label_columns, pool_in_memory, stimuli_of, table_of
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.gram import Gram, gram_in_memory
from brainworth.design.pilot.kernel import described, features_of_new
from brainworth.design.pilot.readers import read_recordings, recordings_in_memory, table_in_memory
from brainworth.design.pilot.rules.cleaning import cleaned
from brainworth.design.pilot.rules.losses import Loss
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.aim import Objective
from brainworth.design.study_file.config import StudyConfig, parse_study
from brainworth.design.study_file.plausible import unlikely
from brainworth.design.study_file.system_file import NamedSystem, read_system
from brainworth.models.pilot.pilot import Pilot

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from brainworth.models.pilot.kernel import KernelMap


@dataclass(frozen=True)
class PilotData:
    """A pilot, and the names behind its codes."""

    pilot: Pilot
    """Plain arrays."""
    names: CodeNames
    """What the codes stand for."""
    kernel: KernelMap | None = None
    """How new stimuli get the features of the study's kernel; none without a kernel."""


@dataclass(frozen=True)
class PriorsOnly:
    """No data: only the features' spectrum is known, or assumed."""

    variance: Float[np.ndarray, " direction"]
    """Variances of the features' principal directions."""


Material = PilotData | NamedSystem | PriorsOnly
"""What a study plans from: a pilot, a known system (its sources in the order of the modalities), or priors alone."""


@dataclass(frozen=True)
class StudyData:
    """A validated study; build it with ``from_file``, ``from_frames`` or ``from_arrays``."""

    config: StudyConfig
    """Everything the study file says."""
    digest: Mapping[str, str]
    """SHA-256 of every input: of each file by relative path, or of each table in memory by name."""
    material: Material
    """What is planned from."""
    base: Path | None = None
    """Folder of the study file; ``None`` for a study built in memory."""
    remarks: tuple[str, ...] = ()
    """Sentences about what was left out or ignored."""
    losses: tuple[Loss, ...] = ()
    """What was left out, merged or changed on the way from the files to the pilot, by reason and person."""
    candidates: Candidates | None = None
    """Stimuli that the plan's labels are chosen from; none if labels are for random stimuli."""

    @property
    def pool(self) -> tuple[int, str] | None:
        """Number of stimuli that labels are chosen from, and how messages call them; none if labels are for random stimuli."""
        return None if self.candidates is None else (len(self.candidates), self.candidates.source)

    @property
    def pilot(self) -> Pilot:
        """The pilot as plain arrays; ``BadInput`` without a pilot."""
        return self._data().pilot

    @property
    def names(self) -> CodeNames:
        """What the codes of the pilot stand for; ``BadInput`` without a pilot."""
        return self._data().names

    @property
    def has_pilot(self) -> bool:
        """Whether there is a pilot."""
        return isinstance(self.material, PilotData)

    def with_pilot(self, pilot: Pilot) -> Self:
        """Return the study with another pilot of the same names."""
        return replace(self, material=replace(self._data(), pilot=pilot))

    def kernel_features(self, kernel: Any) -> Float[np.ndarray, "new feature"]:
        """Return the features of new stimuli in a study whose features are a kernel; what its learner takes (Nystroem).

        Parameters
        ----------
        kernel : array-like or DataFrame, shape (new, stimulus)
            Kernel of each new stimulus with every stimulus of the study, in the order of ``names.stimuli``; or a data frame whose
            columns are their ids. Not centred: the kernel as it is.

        Returns
        -------
        ndarray, shape (new, feature)
            The features called kernel_1, kernel_2, ... in ``names.features``. A table's own features come before them.

        Raises
        ------
        BadInput
            The study has no kernel, or the matrix does not fit its stimuli.
        """
        data = self._data()
        return features_of_new(kernel, data.names.stimuli, data.kernel)

    def with_random_labels(self) -> Self:
        """Return the study with labels for random stimuli."""
        return replace(self, candidates=None)

    def _with_choice(self, pool: Table | None, place: object) -> Self:
        """Return the study with the stimuli that it chooses labels from, if it does; ``pool`` is their table, if there is one."""
        design = self.config.design
        if not design.chosen_stimuli:
            return self
        if pool is None:
            found = Candidates.unlabelled(self.pilot, self.names)
            if not len(found):
                wrong = "labels are to be chosen (chosen_stimuli = true), and every stimulus of the study has a label already"
                raise problem(
                    place, "design", wrong, 'Name a table of further stimuli: [design] candidates = "pool.csv".'
                )
        else:
            found = Candidates.from_table(pool, self.names.features)
        least = self.config.task.min_labels
        if least > len(found):
            wrong = f"{least:,} labels must be bought, and {found.source} has {len(found):,} stimuli to choose from"
            raise problem(place, "task > min_labels", wrong, "Lower min_labels, or add stimuli to the pool.")
        told = f"New labels are for stimuli chosen from {found.source}, {len(found):,} in all."
        return replace(self, candidates=found, remarks=(*self.remarks, told, *found.notes))

    def _data(self) -> PilotData:
        if not isinstance(self.material, PilotData):
            raise problem(
                self.config.study.title,
                "system",
                "the study has no pilot: it plans for a known system, or from priors alone",
                "Remove [system], or add labels to [task].",
            )
        return self.material

    @classmethod
    def from_file(cls, path: str | Path, *, allow_outside: bool | None = None) -> Self:
        """Return the study described by a study file.

        Parameters
        ----------
        path : str or Path
            The study file (TOML).
        allow_outside : bool, optional
            Whether the study may name files outside of its folder; default no, or what ``--allow-outside`` says.

        Raises
        ------
        BadInput
            The study file or a file it names is missing or wrong.
        """
        path = Path(path)
        data = read_toml(path, path)
        config = parse_study(data, path)
        folder = Folder(path, config.study.data_root, allow_outside=allow_outside)
        without_pilot = config.task.labels is None and not any(m.recordings or m.summaries for m in config.modality)
        if config.design.chosen_stimuli and (config.system is not None or without_pilot):
            wrong = "stimuli can only be chosen for a study with a pilot of labelled stimuli"
            right = "Add stimuli and labels to the study file, or take out chosen_stimuli."
            raise problem(path, "design > chosen_stimuli", wrong, right)
        if config.system is not None:
            file = config.system.file
            system = read_system(folder.path(file, "system > file"), file).reordered(config.modality_names, file)
            _require_something_to_explain(system, config.objective, path)
            skipped = [
                *([config.stimuli.table] if config.stimuli and config.stimuli.table else []),
                *([config.stimuli.kernel] if config.stimuli and config.stimuli.kernel else []),
                *([config.task.labels] if config.task.labels else []),
                *(m.recordings for m in config.modality if m.recordings),
                *dict.fromkeys(name for m in config.modality for name in m.summaries),
            ]
            remarks = (
                (f"{path.name}: [system] is given, so no pilot is read: {quoted_list(skipped)}.",) if skipped else ()
            )
            return cls(config, folder.digest, system, path.parent, remarks)
        if without_pilot:
            return cls._from_priors(config, folder, path)
        stimuli, gram = stimuli_of(config, folder)
        if stimuli is None or config.task.labels is None:
            lacking = "[stimuli] with table" if stimuli is None else "labels in [task]"
            raise problem(
                path, "", f"{lacking} is missing", f"Add {lacking}, or [system] with file to plan without a pilot."
            )
        tables = PilotTables(
            stimuli=stimuli,
            labels=folder.table(config.task.labels, "task > labels", label_columns(config)),
            recordings={m.name: read_recordings(folder, m) for m in config.modality if m.recordings is not None},
        )
        study = cls._of_tables(config, tables, gram, folder.digest, path.parent)
        given, pool = config.design, None
        if given.chosen_stimuli and given.candidates is not None:
            asked = wanted(study.names.features, given=config.stimuli)
            pool = folder.table(given.candidates, "design > candidates", asked)
        study = study._with_choice(pool, path)
        named = {m.name: m.summaries for m in config.modality if m.summaries}
        files = dict.fromkeys(name for names in named.values() for name in names)
        return study._summarised({f: folder.path(f, "modality > summaries") for f in files}, named) if files else study

    def with_summaries(self, files: Sequence[str | Path]) -> Self:
        """Return the study with the recordings of several sites, known by their summaries, instead of its own.

        Parameters
        ----------
        files : sequence of str or Path
            What ``summarise`` wrote at every site in the second round, that of this site among them.

        Raises
        ------
        BadInput
            A file is damaged, or does not fit the study's stimuli, labels or settings, or the other files.
        """
        paths = [Path(file) for file in files]
        if not paths:
            raise problem("with_summaries", "", "no file is given", "Give the summary of every site.")
        given = {str(path): path for path in paths}
        tables = {name: value for name, value in self.digest.items() if not name.startswith("recordings/")}
        hashes = {name: sha256(path) for name, path in given.items() if path.is_file()}
        return replace(self, digest={**tables, **hashes})._summarised(given, None)

    def _summarised(self, files: Mapping[str, Path], named: Mapping[str, Sequence[str]] | None) -> Self:
        """Return the study with the recordings that summaries stand for, by the names of their files in messages."""
        from brainworth.design.pilot.summaries.limits import REMARK
        from brainworth.design.pilot.summaries.together import all_recordings

        recordings = all_recordings(files, named, (self.pilot, self.names, self.config))
        own = {
            (r.modality, r.subject): tuple(f"channel {i + 1}" for i in range(r.channels.shape[1])) for r in recordings
        }
        pilot, names = replace(self.pilot, recordings=recordings), replace(self.names, channels=own)
        material = replace(self._data(), pilot=pilot, names=names)
        return replace(self, material=material, remarks=(*self.remarks, REMARK))

    @classmethod
    def _from_priors(cls, config: StudyConfig, folder: Folder, path: Path) -> Self:
        """Return a study without labels and recordings: only the features' spectrum is known, or assumed."""
        stimuli, gram = stimuli_of(config, folder)
        told: tuple[str, ...] = ()
        if stimuli is not None:
            from brainworth.models.pilot.representation import population_variance
            from brainworth.models.pilot.statistics import (
                FeatureBasis,  # JAX and scikit-learn, which reading files never needs
            )

            table = cleaned(stimuli, "stimuli")
            table.require_finite()
            known = described(table, gram, ())
            told, features = known.remarks, known.table.values  # noqa: PD011  (a field of Table, not of pandas)
            basis = FeatureBasis.from_features(features, standardise=False)
            variance = population_variance(basis, features, known.kernel)
        elif config.priors.dimension is not None:
            number = np.arange(1, config.priors.dimension + 1)
            variance = number ** -float(config.priors.spectrum_exponent)
        else:
            raise problem(
                path,
                "",
                "there are neither stimuli, labels nor recordings",
                "Add [stimuli] with table and labels in [task]; or [priors] with dimension = number of features to plan from "
                "priors alone; or [system] with file.",
            )
        remark = f"{path.name}: no labels and no recordings are given; everything is planned from priors alone."
        return cls(config, folder.digest, PriorsOnly(variance), path.parent, (remark, *told, *unlikely(config)))

    @classmethod
    def from_frames(
        cls,
        *,
        stimuli: pd.DataFrame | xr.DataArray | xr.Dataset | None = None,
        labels: pd.DataFrame | xr.DataArray | xr.Dataset,
        recordings: Mapping[str, Any],
        config: StudyConfig | Mapping[str, Any],
        kernel: Any = None,
        candidates: pd.DataFrame | None = None,
    ) -> Self:
        """Return a study built from tables in memory; ``api.Study.from_frames`` says what they hold."""
        parsed = config if isinstance(config, StudyConfig) else parse_study(config)
        for name in recordings:
            if name not in parsed.modality_names:
                hint = did_you_mean(name, parsed.modality_names)
                raise problem(
                    f"recordings[{quoted(name)}]",
                    "",
                    "the study has no such modality",
                    f"Add it to the configuration.{hint}",
                )
        gram = None if kernel is None else gram_in_memory(kernel)
        tables = PilotTables(
            stimuli=table_of(stimuli, gram, parsed),
            labels=table_in_memory(labels, "labels", label_columns(parsed)),
            recordings={
                m.name: recordings_in_memory(recordings[m.name], f"recordings[{quoted(m.name)}]", m.reader)
                for m in parsed.modality
                if m.name in recordings
            },
        )
        digest = {"stimuli": digest_of(tables.stimuli), "labels": digest_of(tables.labels)}
        digest |= {f"recordings/{name}": digest_of(table) for name, table in tables.recordings.items()}
        digest |= {} if gram is None else {"kernel": gram.digest}
        digest["config"] = hashlib.sha256(parsed.model_dump_json().encode()).hexdigest()
        study = cls._of_tables(parsed, tables, gram, digest)
        pool = pool_in_memory(candidates, parsed, study.names)
        if pool is not None:
            study = replace(study, digest=digest | {"candidates": digest_of(pool)})
        return study._with_choice(pool, parsed.study.title)

    @classmethod
    def _of_tables(
        cls,
        config: StudyConfig,
        tables: PilotTables,
        gram: Gram | None,
        digest: Mapping[str, str],
        base: Path | None = None,
    ) -> Self:
        """Return the study whose pilot the tables hold."""
        new = None if config.stimuli is None else config.stimuli.new
        built = build_pilot(tables, config.study.spelling.model_dump(), blocks_of(config), new, gram)
        material = PilotData(built.pilot, built.names, built.kernel)
        return cls(config, digest, material, base, (*built.remarks, *unlikely(config)), built.losses)

    @classmethod
    def from_arrays(
        cls,
        features: np.ndarray,
        labels: tuple[np.ndarray, np.ndarray],
        recordings: Mapping[str, Mapping[str, tuple[np.ndarray, Any]]],
        config: StudyConfig | Mapping[str, Any],
        group: np.ndarray | None = None,
        candidates: np.ndarray | None = None,
    ) -> Self:
        """Return a study built from arrays; a stimulus is a row of ``features``.

        Parameters
        ----------
        features : ndarray, shape (stimulus, feature)
            Features of every stimulus.
        labels : (ndarray, ndarray)
            Rows of ``features`` (or a mask of them) and their labels, one each.
        recordings : mapping
            ``{modality: {subject: (rows of features, channels)}}`` with channels of shape (sample, channel): arrays, or
            memory-mapped, HDF5, zarr or Dask arrays, which are read in slices.
        config : StudyConfig or mapping
            As the study file; paths in it are not read.
        group : ndarray, optional
            Group of each stimulus, never split across folds.
        candidates : ndarray, shape (stimulus, feature), optional
            Features of the stimuli that labels are chosen from, if the configuration's design chooses them; default the rows
            of ``features`` without a label.

        Raises
        ------
        BadInput
            As ``from_frames``.
        """
        import pandas as pd

        from brainworth.design.pilot.arrays import array_frame, labels_frame, recordings_table

        table = array_frame(features, "features", "feature")
        if group is not None:
            if len(group) != len(table):
                right = f"Give one for each of the {len(table)} stimuli."
                raise problem("group", "", f"there are {len(group)} groups", right)
            table.insert(0, "group", pd.Series(list(group), dtype=object))
        table.insert(0, "stimulus", np.arange(len(table)))
        pool = None if candidates is None else array_frame(candidates, "candidates", "feature")
        if pool is not None:
            pool.insert(0, "stimulus", np.arange(len(table), len(table) + len(pool)))
        return cls.from_frames(
            stimuli=table,
            labels=labels_frame(labels, len(table)),
            recordings={name: recordings_table(name, people) for name, people in recordings.items()},
            config=config,
            candidates=pool,
        )


def _require_something_to_explain(known: NamedSystem, aim: Objective, path: Path) -> None:
    """Raise ``BadInput`` for a plan for stimuli without the rest, of a task that depends on nothing else."""
    if 0.0 in (aim.shifts or [aim.shift]) and not np.any(known.system.alignment > 0):
        wrong = (
            "at 0 only what brains respond to varies, and by the system's alignment of 0 the task does not depend on it"
        )
        raise problem(path, f"objective > {'shifts' if aim.shifts else 'shift'}", wrong, "Give a number above 0.")
