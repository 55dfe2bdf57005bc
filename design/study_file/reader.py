"""[modality.reader]: how recordings that are no plain table become one row per sample.

In: the optional keys of a modality's reader. Out: ``Reader``, and which of its keys mean something for which kind of recordings.
Errors: values out of range, keys that contradict each other or have no meaning for the file; the message names the key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from brainworth.design.common.fields import (
    Columns,
    Count,
    MissingValues,
    Positive,
    RecordingColumns,
    RelativePath,
    Section,
    Text,
)
from brainworth.design.common.messages import problem, quoted, quoted_list
from brainworth.design.common.validation import explain, value_problem


def _window(value: object) -> object:
    pair = cast("list[Any]", value) if isinstance(value, list | tuple) else []
    numbers = [float(v) for v in pair if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(pair) != 2 or len(numbers) != 2 or not -math.inf < numbers[0] < numbers[1] < math.inf:
        raise value_problem(f"got {quoted(value)}", "It must be [from, to] in seconds, from before to.")
    return (numbers[0], numbers[1])


Window = Annotated[tuple[float, float], BeforeValidator(_window)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=1000)]


class Reader(Section):
    """[modality.reader]: how the recordings are read. Every key is optional."""

    stimulus: Text | None = None
    """Column of the epochs' metadata or of the events table that holds the stimulus id; default stimulus, for events
    also trial_type."""
    subject: Text | None = None
    """Name of the person, where one file holds one person and does not say who."""
    where: dict[Text, Texts] = Field(default_factory=dict)
    """Rows of the metadata or of the events table to use: column and its allowed values; the others are left out."""
    node: Text | None = None
    """HDF5, netCDF and zarr: the group within the file that holds the arrays; default its root."""
    stream: bool | None = None
    """HDF5, netCDF, zarr, parquet, npy: whether the numbers stay on disk and are read in slices, in bounded memory; default: if
    they take more than 512 MiB in double precision."""
    ids: RelativePath | None = None
    """A matrix (npy): table of the keys subject, stimulus, optional session and repeat, one row per row of the matrix."""

    columns: RecordingColumns = Field(default_factory=dict)
    """Tables, arrays: keys that have another name there, e.g. { participant = "subject", word = "stimulus" }."""
    ignore: Columns = Field(default_factory=list)
    """Tables, arrays: columns that are no channels, to leave out."""
    keep: Columns = Field(default_factory=list)
    """Tables, arrays: columns that are channels although they are called like bookkeeping (run, trial, ...) or count the rows."""
    missing: MissingValues | None = None
    """Numbers or texts that mean "no value", e.g. [-999]: samples with such a cell are left out. An empty list: there are none."""
    duplicates: Literal["drop", "keep"] | None = None
    """Samples with equal values in every channel: drop the copies, or keep them as samples of their own."""

    picks: Texts | None = None
    """EEG, MEG: channel names and kinds (eeg, mag, grad, seeg, ecog, ...) to use; default all good data channels."""
    windows: Annotated[list[Window], Field(min_length=1, max_length=1000)] | None = None
    """EEG, MEG: windows [from, to] in seconds; a channel's mean over each is one column. Default the whole epoch."""
    time_step: Positive | None = None
    """EEG, MEG: cut every window into steps of this many seconds, each a column of its own: time-resolved features."""
    epoch: Window | None = None
    """BIDS EEG, MEG: the epoch [from, to] around an event, in seconds; default [0.0, 0.8]."""
    baseline: Window | None = None
    """BIDS EEG, MEG: window whose mean is subtracted from every epoch; default none."""

    datatype: Literal["func", "eeg", "meg", "ieeg"] | None = None
    """BIDS: which recordings; needed only where a data set holds several kinds."""
    task: Text | None = None
    """BIDS: the task; needed only where a data set holds several."""
    subjects: Texts | None = None
    """BIDS: people to use, without 'sub-'; default all."""
    sessions: Texts | None = None
    """BIDS: sessions to use, without 'ses-'; default all."""
    entities: dict[Text, Annotated[str, Field(max_length=64)]] = Field(default_factory=dict)
    """BIDS: further entities of the file names, e.g. { echo = "2" } or { proc = "clean" }: only recordings with these; an empty
    text means without this entity."""
    ending: Text | None = None
    """BIDS: ending of the recordings, e.g. ".vhdr"; needed only where one recording is there in several formats."""
    derivatives: RelativePath | None = None
    """BIDS fMRI: folder within the data set, e.g. derivatives/fmriprep, that holds preprocessed images, brain masks
    and confounds; events are taken from the data set itself."""
    space: Text | None = None
    """BIDS fMRI: space of the images to use (entity space-)."""
    description: Text | None = None
    """BIDS fMRI: description of the images to use (entity desc-); default preproc within derivatives."""

    events: RelativePath | None = None
    """A single image: table (tsv, csv) of events with onset and duration in seconds, optionally run."""
    volumes_per_run: Annotated[list[Count], Field(min_length=1, max_length=10_000)] | None = None
    """A single image of several runs: volumes of each; onsets count from the start of the run named in the column run
    (1, 2, ...)."""
    tr: Positive | None = None
    """fMRI: seconds from one volume to the next; default what the data set's JSON or the image's header says."""
    mask: RelativePath | None = None
    """fMRI: image whose non-zero voxels are the channels; default the derivatives' brain mask, or nilearn's estimate."""
    atlas: RelativePath | None = None
    """fMRI: image of region numbers; the channels are the regions' means."""
    confounds: Texts | None = None
    """fMRI: columns of the confounds table to regress out; * and ? stand for any text, e.g. "trans_?", "rot_?"."""
    confounds_file: RelativePath | None = None
    """A single image: the confounds table (tsv, csv), one row a volume."""
    smoothing: Positive | None = None
    """fMRI: full width at half maximum of a Gaussian filter, in mm."""
    standardise: bool = False
    """fMRI: whether every channel is divided by its standard deviation over each run."""
    estimate: Literal["lss", "lsa", "volumes"] = "lss"
    """fMRI: one sample per event, by one regression per event (least squares separate) or one for all (least squares
    all); or one sample per volume, its stimulus being RUN:VOLUME (volumes counted from 1) for continuous designs."""
    noise_model: Literal["ols", "ar1"] = "ols"
    """fMRI, single-event estimates: ordinary least squares, or prewhitened by every channel's own first autocorrelation."""
    hrf: Literal["spm", "glover", "fir"] = "glover"
    """fMRI: haemodynamic response; fir estimates one amplitude for each of the delays."""
    fir_delays: Annotated[list[Annotated[int, Field(ge=0, le=100)]], Field(min_length=1, max_length=100)] | None = None
    """fMRI, hrf = "fir": delays after the onset in volumes, each a column of its own."""
    high_pass: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """fMRI: slower drifts, in Hz, are regressed out; 0 removes the mean only."""
    slice_time: Annotated[float, Field(ge=0, le=1)] = 0.0
    """fMRI: when within a TR a volume was taken, as a share of it (0.5 after slice-time correction to the middle)."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.hrf == "fir") != (self.fir_delays is not None):
            raise value_problem("hrf = 'fir' and fir_delays belong together", "Give both or neither.")
        if self.noise_model != "ols" and self.estimate == "volumes":
            raise value_problem(
                "noise_model is given with estimate = 'volumes'", "Volumes are not estimated; leave it out."
            )
        if self.mask is not None and self.atlas is not None:
            raise value_problem("mask and atlas are both given", "Give voxels by mask, or regions by atlas.")
        if self.confounds_file is not None and self.confounds is None:
            raise value_problem("confounds_file is given without confounds", "Name its columns, e.g. ['*'] for all.")
        return self


_VALUES = {"missing", "duplicates"}
_IDS = {"stimulus", "subject", "where", *_VALUES}
_COLUMNS = {"columns", "ignore", "keep", *_VALUES}
_WINDOWS = {"picks", "windows", "time_step"}
_SIGNAL = {
    "tr",
    "mask",
    "atlas",
    "confounds",
    "smoothing",
    "standardise",
    "estimate",
    "noise_model",
    "hrf",
    "fir_delays",
    "high_pass",
    "slice_time",
}
_BIDS = {"stimulus", "where", "datatype", "task", "subjects", "sessions", "entities", "ending", *_VALUES}
KEYS: dict[str, set[str]] = {
    "a table": {"stream"} | _COLUMNS,
    "arrays": {"node", "stream"} | _COLUMNS,
    "a matrix": {"ids", "stream"} | _COLUMNS,
    "a data frame": _COLUMNS,
    "MNE epochs": _IDS | _WINDOWS,
    "images with a masker": _IDS | (_SIGNAL - {"mask", "atlas", "smoothing", "confounds"}),
    "an image": _IDS | _SIGNAL | {"events", "volumes_per_run", "confounds_file"},
    "BIDS EEG or MEG": _BIDS | _WINDOWS | {"epoch", "baseline"},
    "BIDS fMRI": _BIDS | _SIGNAL | {"derivatives", "space", "description"},
}
"""Keys of the reader that mean something, by kind of recordings."""


def check_meaning(reader: Reader, kind: str, source: str) -> None:
    """Raise ``BadInput`` if a key is set that has no meaning for this kind of recordings."""
    strange = sorted(reader.model_fields_set - KEYS[kind])
    if strange:
        known = ", ".join(sorted(KEYS[kind])) or "none"
        raise problem(
            source,
            f"reader > {strange[0]}",
            f"{quoted_list(strange)} mean{'s' if len(strange) == 1 else ''} nothing for {kind}",
            f"Keys for {kind}: {known}.",
        )


def parse_reader(data: Mapping[str, Any], source: str = "reader") -> Reader:
    """Return a reader from a mapping, or raise ``BadInput`` naming the key that is wrong."""
    try:
        return Reader.model_validate(dict(data))
    except ValidationError as error:
        raise explain(error, Reader, source, data) from None
