"""The study that ``brainworth init`` writes: a commented study.toml and small example tables to replace.

In: a folder, new or with the data of a pilot. Out: four files in it, a study that passes ``brainworth check``. What can go
wrong: one of the four is there already, or the folder cannot be written; a ``BadInput`` says so and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import write_atomic
from brainworth.design.common.messages import problem, quoted_list

_STUDY = """\
# A brainworth study. Every key is explained by `brainworth schema`; replace the example tables by your own
# and check them with `brainworth check study.toml`.

[study]
title = "Example: EEG pilot"
seed = 0

[stimuli]
table = "stimuli.csv"        # `stimulus` = unique id; optional `group` (never split across folds);
                             # every other column is one numeric feature. Also .tsv, .parquet, .npz

[task]
labels = "labels.csv"        # columns stimulus and label; several rows of a stimulus are repeated labels
kind = "regression"          # or "binary"
cost_per_label = 0.12        # a number, or [low, high] as a 90 % interval
max_labels = 20000

[[modality]]                 # one block per modality; omit `recordings` for a modality without a pilot
name = "EEG"
recordings = "eeg.csv"       # columns subject, stimulus, optional session and repeat; every other column is a channel
                             # or MNE epochs "epochs/sub-*-epo.fif", a BIDS folder "bids", an image "bold.nii.gz", or arrays
                             # (.npz .h5 .nc .parquet); all within the folder of this file
new_subjects = true          # may the plan enrol new people, or only record the pilot's again

# [modality.reader]          # for epochs, BIDS and images: what becomes a sample and a channel
# stimulus = "word"          # column of the metadata or of the events with the stimulus id
# where = { trial_type = ["word"] }  # events to use; the others are left out
# windows = [[0.3, 0.5]]     # EEG, MEG: seconds whose mean is a channel
# mask = "mask.nii.gz"       # fMRI: voxels that are channels; or atlas

[modality.cost]              # every field is optional
per_sample = 0.05
per_session = 150.0          # billed in whole sessions of `samples_per_session`
samples_per_session = 600
per_subject = 40.0           # each new person
setup = 1000.0               # once, if the plan uses the modality at all
usable_fraction = 0.9        # share of the recorded samples that survives

[modality.design]            # every field is optional
max_subjects = 40
max_sessions_per_subject = 4
repeats = [1, 2, 4]          # allowed presentations of a stimulus, averaged
shared_stimuli = false       # do people see the same stimuli

[budget]
total = 8000                 # or omit it and give objective.target: the cheapest plan that reaches it
currency = "USD"
reuse_pilot = true           # the pilot also trains the final model

[objective]
utility = "mean"             # mean | quantile | cvar | probability, of explainable R²
# level = 0.1                # for quantile and cvar
# target = 0.6               # for probability, or without a budget
# confidence = 0.9           # without a budget: reach the target with this probability
"""


def _table(header: list[str], rows: Sequence[Sequence[object]]) -> bytes:
    lines = [",".join(header)]
    lines += [",".join(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def example_files(seed: int = 0) -> dict[str, bytes]:
    """Return the files of the example study by name: 120 words in 12 sentences, 2 people, 8 channels, 80 labels.

    One brain latent, seen by every channel, carries two thirds of the explainable variance of the labels.
    """
    rng = np.random.default_rng(seed)
    words, features, channels = 120, 6, 8
    x = rng.standard_normal((words, features))
    latent = x @ rng.standard_normal(features) / np.sqrt(features)
    rest = x @ rng.standard_normal(features) / np.sqrt(features)
    label = np.sqrt(2 / 3) * latent + np.sqrt(1 / 3) * rest + rng.standard_normal(words)
    ids = [f"w{i + 1:03d}" for i in range(words)]
    recordings: list[Sequence[object]] = []
    for subject in ("s1", "s2"):
        pattern = rng.standard_normal(channels) / np.sqrt(channels)
        samples = np.outer(latent, pattern) + rng.standard_normal((words, channels))
        recordings += [[subject, ids[i], *samples[i].tolist()] for i in range(words)]
    return {
        "study.toml": _STUDY.encode(),
        "stimuli.csv": _table(
            ["stimulus", "group", *(f"feature_{i + 1}" for i in range(features))],
            [[ids[i], f"sentence{i // 10 + 1:02d}", *x[i].tolist()] for i in range(words)],
        ),
        "labels.csv": _table(["stimulus", "label"], [[ids[i], float(label[i])] for i in range(80)]),
        "eeg.csv": _table(["subject", "stimulus", *(f"E{i + 1}" for i in range(channels))], recordings),
    }


def write_example(folder: Path) -> list[Path]:
    """Write the example study into a folder, beside what it holds, and return the files.

    Raises
    ------
    BadInput
        The folder is a file, holds one of the files already, or cannot be written.
    """
    right = "Choose a new folder, or one that holds none of the files of the example."
    files = example_files()
    try:
        if folder.exists() and not folder.is_dir():
            raise problem(folder, "", "this is a file", right)
        there = sorted({path.name for path in folder.iterdir()} & set(files)) if folder.is_dir() else []
    except OSError as error:
        raise problem(folder, "", f"the folder cannot be read ({error.strerror})", right) from None
    if there:
        wrong = f"the folder is not empty: it holds {quoted_list(there)}, and nothing is overwritten"
        raise problem(folder, "", wrong, right)
    written: list[Path] = []
    try:
        for name, content in files.items():
            written.append(write_atomic(folder / name, content))
    except BadInput:
        for path in written:  # half an example would refuse the next try
            with suppress(OSError):
                path.unlink()
        raise
    return written
