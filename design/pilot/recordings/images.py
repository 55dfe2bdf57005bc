"""Images that a study file names: a 4D NIfTI image with its events, or a BIDS data set.

In: the path of the image or the layout of the data set (raw, or its preprocessed derivatives), and the keys of the modality's
reader. Out: a ``Table`` whose samples are single-trial estimates or volumes, and whose sessions are the runs. Errors: see
``nifti``, ``events``, ``bids`` and ``fmri``; each is a ``BadInput``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.design.common.messages import problem
from brainworth.design.common.optional import need
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.recordings.bids import BidsFile, Layout, recordings, sidecar
from brainworth.design.pilot.recordings.events import Events, read_events
from brainworth.design.pilot.recordings.fmri import Run, samples_of_run
from brainworth.design.pilot.recordings.nifti import (
    VoxelChannels,
    channels_of,
    estimated_mask,
    open_image,
    read_confounds,
    repetition_time,
    require_one_tr,
)
from brainworth.design.pilot.recordings.single_trials import Timing
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.stack import stacked
from brainworth.design.pilot.tables.tables import Table
from brainworth.design.study_file.reader import Reader, check_meaning


def _table(runs: Sequence[tuple[Run, VoxelChannels]], reader: Reader, source: str, wanted: Wanted) -> Table:
    parts = [samples_of_run(c.series(run.image, run.source), run, c.names, reader) for run, c in runs]
    return stacked(parts, source, wanted, runs=True)


@dataclass(frozen=True)
class ImageReader:
    """Reads the images of one modality."""

    folder: Folder
    """The study's folder."""
    field: str
    """Field of the study that names the recordings."""
    reader: Reader
    """Its keys."""
    wanted: Wanted
    """Keys of the table."""

    def _open(self, relative: str, key: str, dimensions: int) -> Any:
        path = self.folder.path(relative, f"{self.field} > reader > {key}")
        return open_image(path, relative, dimensions)

    def _found(self, path: Path, dimensions: int) -> Any:
        return open_image(self.folder.found(path, self.field), self.folder.relative(path), dimensions)

    def single(self, path: Path, source: str) -> Table:
        """Return the table of one 4D image, of one run or of several behind each other."""
        check_meaning(self.reader, "an image", source)
        need("nilearn", "fmri", "NIfTI images", source)
        image = open_image(path, source, 4)
        events = self._events_of_image(source)
        timing = Timing(repetition_time(image, self.reader.tr, source), int(image.shape[3]), self.reader.slice_time)
        confounds = self._confounds_of_image(timing.volumes)
        whole = Run(self.reader.subject or "1", "run-1", source, image, timing, events, confounds)
        runs = self._split(whole) if self.reader.volumes_per_run else [whole]
        channels = self._channels([image], [], source)
        return _table([(run, channels) for run in runs], self.reader, source, self.wanted)

    def _events_of_image(self, source: str) -> Events | None:
        if (self.reader.events is None) != (self.reader.estimate == "volumes"):
            right = "Name the table of events in reader.events, or set reader.estimate = 'volumes' without events."
            raise problem(source, "reader > events", "events and estimate do not fit together", right)
        if self.reader.events is None:
            return None
        path = self.folder.path(self.reader.events, f"{self.field} > reader > events")
        return read_events(path, self.reader.events, self.reader)

    def _confounds_of_image(self, volumes: int) -> Float[np.ndarray, "volume confound"] | None:
        name = self.reader.confounds_file
        if name is None or self.reader.confounds is None:
            return None
        path = self.folder.path(name, f"{self.field} > reader > confounds_file")
        return read_confounds(path, name, self.reader.confounds, volumes)

    def _split(self, whole: Run) -> list[Run]:
        """Return the runs of an image that holds several behind each other."""
        sizes = self.reader.volumes_per_run or []
        if sum(sizes) != whole.timing.volumes:
            right = f"Their sum must be the image's {whole.timing.volumes} volumes."
            raise problem(whole.source, "reader > volumes_per_run", f"they sum to {sum(sizes)}", right)
        column = whole.events.columns.get("run") if whole.events is not None else None
        if whole.events is not None and column is None:
            right = "Number the run of every event from 1, or leave volumes_per_run out."
            raise problem(whole.events.source, "column 'run'", "the column is missing", right)
        runs: list[Run] = []
        ends = np.cumsum(sizes)
        for number, (size, end) in enumerate(zip(sizes, ends, strict=True), start=1):
            events = whole.events
            if events is not None and column is not None:
                rows = np.flatnonzero(np.array(column) == str(number))
                if rows.size == 0:
                    raise problem(events.source, "column 'run'", f"run {number} has no event", "Number runs from 1.")
                events = events.take(rows)
            part = whole.image.slicer[..., int(end) - size : int(end)]
            confounds = None if whole.confounds is None else whole.confounds[int(end) - size : int(end)]
            runs.append(
                replace(
                    whole,
                    name=f"run-{number}",
                    image=part,
                    timing=replace(whole.timing, volumes=size),
                    events=events,
                    confounds=confounds,
                )
            )
        return runs

    def _channels(self, images: Sequence[Any], masks: Sequence[Any], source: str) -> VoxelChannels:
        """Return the channels of one person."""
        name = self.reader.atlas or self.reader.mask
        smoothing = self.reader.smoothing
        if name is not None:
            labels = self._open(name, "atlas" if self.reader.atlas else "mask", 3)
            return channels_of(labels, images[0], name, smoothing, regions=self.reader.atlas is not None)
        if masks:
            from nilearn.masking import intersect_masks

            mask = masks[0] if len(masks) == 1 else intersect_masks(list(masks), threshold=1)
        else:
            mask = estimated_mask(images, source)
        return channels_of(mask, images[0], source, smoothing, regions=False)

    def bids(self, raw: Layout, source: str) -> Table:
        """Return the table of a BIDS data set."""
        check_meaning(self.reader, "BIDS fMRI", source)
        need("nilearn", "fmri", "NIfTI images", source)
        layout, reader = raw, self.reader
        if reader.derivatives is not None:
            root = self.folder.place((Path(source) / reader.derivatives).as_posix(), f"{self.field} > derivatives")
            layout = Layout.of(self.folder, root, self.field)
            reader = reader.model_copy(update={"description": reader.description or "preproc"})
        files = recordings(layout, "func", reader, source)
        people: dict[str, list[BidsFile]] = {}
        for file in files:
            people.setdefault(file.entities["sub"], []).append(file)
        prepared: list[tuple[Run, VoxelChannels]] = []
        for subject, mine in people.items():
            runs = [self._bids_run(subject, file, layout, raw) for file in mine]
            masks = [self._found(m.path, 3) for file in mine for m in self._brain_masks(layout, file)]
            channels = self._channels([run.image for run in runs], masks, f"{source}/sub-{subject}")
            prepared += [(run, channels) for run in runs]
        return _table(prepared, self.reader, source, self.wanted)

    @staticmethod
    def _brain_masks(layout: Layout, file: BidsFile) -> list[BidsFile]:
        found = [m for m in layout.beside(file, "mask", ".nii.gz", ("desc",)) if m.entities.get("desc") == "brain"]
        return found[:1]

    def _bids_run(self, subject: str, file: BidsFile, layout: Layout, raw: Layout) -> Run:
        image, source = self._found(file.path, 4), self.folder.relative(file.path)
        given = self.reader.tr
        if given is None:
            value = sidecar(self.folder, layout, file, self.field).get("RepetitionTime")
            given = float(value) if isinstance(value, int | float) and 0.01 <= value <= 60 else None
            require_one_tr(image, given, source)
        timing = Timing(repetition_time(image, given, source), int(image.shape[3]), self.reader.slice_time)
        events: Events | None = None
        if self.reader.estimate != "volumes":
            original = replace(file, path=raw.root / file.path.relative_to(layout.root))
            tables = raw.beside(original, "events", ".tsv")
            if not tables:
                right = "Add *_events.tsv beside the raw image, or set reader.estimate = 'volumes'."
                raise problem(source, "", "the run has no table of events", right)
            path = self.folder.found(tables[0].path, self.field)
            events = read_events(path, self.folder.relative(tables[0].path), self.reader)
        return Run(subject, file.run_name, source, image, timing, events, self._bids_confounds(file, layout, timing))

    def _bids_confounds(self, file: BidsFile, layout: Layout, timing: Timing) -> Float[np.ndarray, "t c"] | None:
        if self.reader.confounds is None:
            return None
        tables = [
            t
            for suffix in ("timeseries", "regressors")
            for t in layout.beside(file, suffix, ".tsv", ("desc",))
            if t.entities.get("desc", "confounds") == "confounds"
        ]
        if not tables:
            right = "Confounds are *_desc-confounds_timeseries.tsv beside the image."
            raise problem(self.folder.relative(file.path), "reader > confounds", "the run has no confounds", right)
        path = self.folder.found(tables[0].path, self.field)
        return read_confounds(path, self.folder.relative(tables[0].path), self.reader.confounds, timing.volumes)
