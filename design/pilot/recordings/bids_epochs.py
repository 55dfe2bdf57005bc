"""EEG, MEG and intracranial recordings of a BIDS data set: epochs around its events.

In: the layout of the data set and the keys of the modality's reader (task, epoch, baseline, picks, windows, ...). Out: a
``Table``, one row per event that is neither at the edge of a recording nor marked bad, one column per channel and window;
sessions are the runs. Errors: the extra ``eeg`` is not installed, a recording cannot be read or names files outside of the study,
no epoch is left; each is a ``BadInput``. Filter and clean before: nothing but a baseline is removed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import one_line, problem
from brainworth.design.common.optional import need
from brainworth.design.pilot.folder import Folder
from brainworth.design.pilot.recordings.bids import BidsFile, Layout, recordings
from brainworth.design.pilot.recordings.epochs import dropped, window_means
from brainworth.design.pilot.recordings.events import Events, left_out, read_events, refuse_simultaneous
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.stack import Part, stacked
from brainworth.design.pilot.tables.tables import MAX_CELLS, Table
from brainworth.design.study_file.reader import Reader, check_meaning

_EPOCH = (0.0, 0.8)


@dataclass(frozen=True)
class RecordingReader:
    """Reads the EEG or MEG recordings of one modality."""

    folder: Folder
    """The study's folder."""
    field: str
    """Field of the study that names the recordings."""
    reader: Reader
    """Its keys."""
    wanted: Wanted
    """Keys of the table."""

    def bids(self, layout: Layout, datatype: str, source: str) -> Table:
        """Return the table of a BIDS data set."""
        check_meaning(self.reader, "BIDS EEG or MEG", source)
        need("mne", "eeg", "BIDS EEG and MEG", source)
        need("mne_bids", "eeg", "BIDS EEG and MEG", source)
        files = recordings(layout, datatype, self.reader, source)
        return stacked([self._part(layout, file, datatype) for file in files], source, self.wanted)

    def _part(self, layout: Layout, file: BidsFile, datatype: str) -> Part:
        source = self.folder.relative(file.path)
        tables = layout.beside(file, "events", ".tsv", ("split",))
        if not tables:
            raise problem(source, "", "the recording has no table of events", "Add *_events.tsv beside it.")
        table = self.folder.relative(tables[0].path)
        events = read_events(self.folder.found(tables[0].path, self.field), table, self.reader)
        for suffix in ("channels", "electrodes"):
            for side in layout.beside(file, suffix, ".tsv", ("split",))[:1]:
                self.folder.found(side.path, self.field)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of mne-bids, about side files that are missing
            try:
                epochs = self._epochs(self._raw(layout.root, file, datatype, source), events)
            except BadInput:
                raise
            except Exception as error:
                wrong = f"the recording cannot be read ({one_line(error, 300).rstrip('.')})"
                raise problem(source, "", wrong, "Check it by mne_bids.read_raw_bids().") from None
        if len(epochs) == 0:
            raise _no_epoch(source)
        names, values = window_means(epochs, self.reader, source)
        ids = tuple(epochs.metadata["stimulus"].tolist())
        who = file.entities["sub"]
        losses = dropped(epochs, source, who) + left_out(events, who)
        return Part(who, file.run_name, ids, names, values, events.advice, losses)

    def _raw(self, root: Path, file: BidsFile, datatype: str, source: str) -> Any:
        """Return the recording, not yet loaded, after all files that hold it were checked and hashed."""
        import mne_bids

        words = {"subject": "sub", "session": "ses", "task": "task", "acquisition": "acq", "run": "run"}
        words |= {"processing": "proc", "recording": "recording", "split": "split"}
        entities = {word: file.entities.get(key) for word, key in words.items()}
        path = mne_bids.BIDSPath(
            **entities, root=root, datatype=datatype, suffix=datatype, extension=file.ending, check=False
        )
        if file.ending == ".vhdr":
            self._check_header(file.path, source)
        raw = mne_bids.read_raw_bids(path, verbose="error")
        for part in {file.path, *(Path(name) for name in raw.filenames if name is not None)}:
            self.folder.found(part if part.is_absolute() else file.path.parent / part, self.field)
        return raw

    def _check_header(self, path: Path, source: str) -> None:
        """Raise ``BadInput`` if a BrainVision header names a file that is not beside it."""
        self.folder.found(path, self.field)
        for line in path.read_bytes()[: 2**20].decode("latin-1").splitlines():
            key, _, name = line.partition("=")
            if key.strip() in {"DataFile", "MarkerFile"}:
                name = name.strip().replace("$b", path.stem)
                if name != Path(name.replace("\\", "/")).name:
                    raise problem(source, key.strip(), f"it names {name!r}", "The file must lie beside the header.")
                if (path.parent / name).exists():
                    self.folder.found(path.parent / name, self.field)

    def _epochs(self, raw: Any, events: Events) -> Any:
        import mne
        import pandas as pd

        start, stop = self.reader.epoch or _EPOCH
        rate = float(raw.info["sfreq"])
        if len(events) * len(raw.ch_names) * ((stop - start) * rate + 1) > MAX_CELLS:
            right = f"At most {MAX_CELLS} can be read; resample, or use shorter epochs."
            raise problem(events.source, "", "the epochs hold too many values", right)
        _require_within(events, raw.n_times / rate, rate)
        samples = np.round(events.onset * rate).astype(np.int64) + raw.first_samp
        refuse_simultaneous(events, samples, "at the same sample")
        if not np.any((samples + start * rate >= raw.first_samp) & (samples + stop * rate <= raw.last_samp)):
            raise _no_epoch(events.source)
        table = np.column_stack([samples, np.zeros_like(samples), np.ones_like(samples)])
        return mne.Epochs(
            raw,
            table,
            tmin=start,
            tmax=stop,
            baseline=self.reader.baseline,
            metadata=pd.DataFrame({"stimulus": list(events.stimulus)}),
            preload=True,
            reject_by_annotation=True,
            verbose="error",
        )


def _require_within(events: Events, seconds: float, rate: float) -> None:
    """Raise ``BadInput`` for an event before the beginning or after the end of the recording."""
    outside = np.flatnonzero((events.onset < -1.0 / rate) | (events.onset > seconds + 1.0 / rate))
    if outside.size:
        event = int(outside[0])
        more = f" ({outside.size} such events in all)" if outside.size > 1 else ""
        wrong = f"the onset of {events.onset[event]:g} s lies outside of the recording, 0 to {seconds:g} s{more}"
        right = (
            "Onsets are in seconds from the first sample; are these milliseconds, or samples, or is the recording cut off? "
            "Or leave such rows out."
        )
        raise problem(events.source, f"{events.place(event)}, column 'onset'", wrong, right)


def _no_epoch(source: str) -> BadInput:
    right = "Check reader.epoch, the onsets (in seconds), and the annotations called bad."
    return problem(source, "", "no epoch is left: all leave the recording or are marked bad", right)
