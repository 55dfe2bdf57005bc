"""The summaries of several sites together: the recordings of a pilot, or why they do not fit together.

In: the stimuli, labels and settings of a study, the summaries of the sites. Out: one ``Recording`` per person and modality, in
the order of modalities and names, whatever the order of the files. Errors: other stimuli, labels or settings, a person in two
files, a modality that the study lacks, read-outs of another set of people; each is a ``BadInput`` that names the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.build import MIN_GROUPS, MIN_PERSON, MIN_STIMULI, CodeNames
from brainworth.design.pilot.summaries.format import AGREES, Common, SiteSummary, channels_of, read_summary
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.summarised import SummarisedChannels

if TYPE_CHECKING:
    from pathlib import Path

    from brainworth.design.study_file.config import StudyConfig

_ROUND = "brainworth summarise STUDY --with FILE --with FILE --out FILE"
_SETTINGS = {
    "seed": ("study.seed", "Give study.seed the same value in the study files of all sites"),
    "folds": ("folds", "Use one version of brainworth at all sites"),
    "latents": ("priors.max_latents", "Give priors.max_latents the same value in the study files of all sites"),
}


def _hash(*arrays: np.ndarray, texts: Sequence[str] = ()) -> str:
    state = hashlib.sha256("\x1f".join(texts).encode())
    for values in arrays:
        state.update(np.ascontiguousarray(values).tobytes())
    return state.hexdigest()


def folds_of(pilot: Pilot, seed: int) -> Int[np.ndarray, " stimulus"]:
    """Return the fold of every stimulus."""
    from brainworth.models.pilot.pooling import N_FOLDS  # JAX, which reading files never needs

    return group_folds(pilot.group, N_FOLDS, seed)


def common_of(pilot: Pilot, names: CodeNames, config: StudyConfig) -> Common:
    """Return what the summaries of a study's sites must have in common."""
    order = np.lexsort((pilot.label, pilot.label_stimulus))
    labels = _hash(pilot.label_stimulus[order].astype("<i8"), pilot.label[order].astype("<f8"))
    features, group = pilot.features.astype("<f8"), pilot.group.astype("<i8")
    return Common(
        stimuli=_hash(features, group, texts=names.stimuli),
        labels=labels,
        seed=config.study.seed,
        folds=int(folds_of(pilot, config.study.seed).max()) + 1,
        latents=config.priors.max_latents,
    )


def require_common(summary: SiteSummary, common: Common) -> None:
    """Raise ``BadInput`` if a summary is of other stimuli, labels or settings."""
    theirs, file = summary.header.common, summary.source
    if theirs.stimuli != common.stimuli:
        right = "All sites need the same table: ids in the same order, features in the same columns, the same group of each."
        raise problem(file, "stimuli", "it is of other stimuli than this study's", right)
    if theirs.labels != common.labels:
        right = "All sites need the same table of labels: which unit the features are in is decided with it."
        raise problem(file, "labels", "it was made beside other labels than this study's", right)
    for key, (name, right) in _SETTINGS.items():
        if getattr(theirs, key) != getattr(common, key):
            wrong = f"it was made with {name} = {getattr(theirs, key)}, this study has {getattr(common, key)}"
            raise problem(file, name, wrong, f"{right}, and write the summary again.")


def pooled(
    summaries: Sequence[SiteSummary],
    pilot: Pilot,
    config: StudyConfig,
    named: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Recording, ...]:
    """Return everyone in the summaries, in the order of modalities and names.

    Parameters
    ----------
    summaries : sequence of SiteSummary
        One or more, of the study's stimuli (``require_common``).
    pilot : Pilot
        Stimuli and groups.
    config : StudyConfig
        Modalities and seed.
    named : mapping of str to sequence of str, optional
        By modality, the files that the study names for it; all files for every modality if not given.

    Raises
    ------
    BadInput
        A person stands in two files, or the numbers do not fit the study.
    """
    seen: dict[tuple[str, str], str] = {}
    for summary in summaries:
        for person in summary.header.people:
            key = person.modality, person.subject
            if person.modality not in config.modality_names:
                hint = did_you_mean(person.modality, config.modality_names)
                right = f"Add a [[modality]] of that name to the study.{hint}"
                raise problem(
                    summary.source, "", f"it holds the modality {quoted(person.modality)}, the study does not", right
                )
            if named is not None and summary.source not in named.get(person.modality, ()):
                right = f"Name the file in the summaries of {quoted(person.modality)}, too."
                raise problem(summary.source, "", f"it also holds {quoted(person.modality)}", right)
            if key in seen:
                wrong = f"subject {quoted(person.subject)} ({person.modality}) is in {seen[key]}, too"
                right = "Give each site's file once. If these are two people, use brainworth summarise --pseudonyms at the sites."
                raise problem(summary.source, "", wrong, right)
            seen[key] = summary.source
    folds = folds_of(pilot, config.study.seed)
    order = {name: number for number, name in enumerate(config.modality_names)}
    everyone = [(summary.source, recording) for summary in summaries for recording in summary.recordings]
    everyone.sort(key=lambda found: (order[found[1].modality], found[1].subject))
    result = tuple(_placed(source, recording, pilot, folds) for source, recording in everyone)
    for name in config.modality_names:
        _require_stimuli(name, [r for r in result if r.modality == name], pilot)
    return result


def all_recordings(
    files: Mapping[str, Path], named: Mapping[str, Sequence[str]] | None, study: tuple[Pilot, CodeNames, StudyConfig]
) -> tuple[Recording, ...]:
    """Return the recordings that the files of all sites stand for, read out with the encoders of everyone.

    Parameters
    ----------
    files : mapping of str to Path
        Files by what messages call them.
    named : mapping of str to sequence of str, optional
        By modality, the files that the study names for it.
    study : (Pilot, Names, StudyConfig)
        Stimuli, labels and settings; recordings of this pilot do not matter.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    pilot, names, config = study
    common = common_of(pilot, names, config)
    summaries = [read_summary(path, name) for name, path in files.items()]
    for summary in summaries:
        require_common(summary, common)
        held = list(dict.fromkeys(person.modality for person in summary.header.people))
        for modality, sources in (named or {}).items():
            if summary.source in sources and modality not in held:
                right = f"It holds {quoted_list(held)}; name it there."
                raise problem(summary.source, "", f"it holds no recordings of {quoted(modality)}", right)
    recordings = pooled(summaries, pilot, config, named)
    require_read_out(summaries, recordings)
    return recordings


def _placed(source: str, recording: Recording, pilot: Pilot, folds: Int[np.ndarray, " stimulus"]) -> Recording:
    """Return a recording whose samples know their folds, after its numbers were compared with the study's."""
    one, place = channels_of(recording), f"{recording.modality}, subject {quoted(recording.subject)}"
    again = "Write the summary again at its site: brainworth summarise."
    if one.stimulus.min() < 0 or one.stimulus.max() >= len(pilot.features) or one.block.min() < 0:
        raise problem(source, place, "a sample is of no stimulus of the study, or of no session", again)
    if one.folds.cross.shape[1] != pilot.features.shape[1]:
        wrong = f"it is of {one.folds.cross.shape[1]} features, the study has {pilot.features.shape[1]}"
        raise problem(source, place, wrong, again)
    if len(one.stimulus) < MIN_PERSON:
        right = f"Everyone needs at least {MIN_PERSON}; leave this person out at the site."
        raise problem(source, place, f"there are {len(one.stimulus)} samples", right)
    if np.any(np.diagonal(one.folds.gram.sum(axis=0)) <= 0.0):
        raise problem(source, place, "a channel does not vary", again)
    placed = replace(one, fold=folds[one.stimulus])
    if not _agrees(placed):
        raise problem(source, place, "its read-outs contradict its moments", again)
    return replace(recording, channels=placed)


def _agrees(one: SummarisedChannels) -> bool:
    """Return whether squares of the read-outs of every fold are those that its moments say."""
    if one.held is None:
        return True
    for fold, (gram, filters) in enumerate(zip(one.folds.gram, one.held.filters, strict=True)):
        rows = one.held.raw[one.fold == fold]
        expected, found = np.sum(filters * (gram @ filters), axis=0), np.sum(rows**2, axis=0)
        if np.any(np.abs(expected - found) > AGREES * np.maximum(expected.max(), found.max())):
            return False
    return True


def _require_stimuli(name: str, people: Sequence[Recording], pilot: Pilot) -> None:
    if not people:
        return
    shown = np.unique(np.concatenate([r.stimulus for r in people]))
    groups = np.unique(pilot.group[shown]).size
    if shown.size < MIN_STIMULI or groups < MIN_GROUPS:
        wrong = f"{name} was recorded to {shown.size} different stimuli in {groups} groups"
        raise problem("summaries", "", wrong, f"At least {MIN_STIMULI} in {MIN_GROUPS} groups are needed.")


def require_read_out(summaries: Sequence[SiteSummary], everyone: Sequence[Recording]) -> None:
    """Raise ``BadInput`` unless every summary has read-outs by the encoders of everyone."""
    from brainworth.models.pilot.read_out import counted  # JAX, which reading files never needs

    marks = {
        (channels_of(r).modality, channels_of(r).subject): m
        for s in summaries
        for r, m in zip(s.recordings, s.marks, strict=True)
    }
    together = [marks[r.modality, r.subject] for r in everyone]
    needed = [counted(channels_of(r).worth) for r in everyone]
    for summary in summaries:
        header, file = summary.header, summary.source
        if not header.together:
            right = f"When all sites have written one, each runs {_ROUND}, with the files of all sites; plan with what that writes."
            raise problem(file, "", "it is of the first round and holds no read-outs yet", right)
        if header.together != together:
            strange = len(set(header.together) ^ set(together))
            wrong = (
                f"its read-outs were made together with other summaries ({strange} recordings differ from this study's)"
            )
            raise problem(file, "", wrong, f"Every site runs {_ROUND} with the first files of exactly these sites.")
        if not np.allclose(header.used, needed, rtol=AGREES, atol=0.0):
            few = [f"{r.subject} ({r.modality})" for r, w in zip(everyone, needed, strict=True) if w < 1.0]
            wrong = (
                f"its read-outs do not reckon with the autocorrelation of {quoted_list(few, 3)}, known since this round"
            )
            raise problem(file, "", wrong, f"One more round: every site runs {_ROUND} with these files.")
