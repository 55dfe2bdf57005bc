"""The listening corpus as tables of a study: volumes with features, six regions of 27 people, word frequency.

In: the folders of the data sets ``alice_fmri_listening`` and ``glove50_subset``. Out: ``Story``, and the csv files of a study.
Errors: an alignment without words (``ValueError``).
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalOperand=false, reportGeneralTypeIssues=false, reportReturnType=false
# (pandas' own annotations are incomplete)

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainworth.design.pilot.features.features import join_words, principal_components, read_vectors, volume_features

HERE = Path(__file__).parent
TR, FIRST = 2.0, 20.0
"""Seconds between volumes; when the first kept volume begins on the clock of the alignment."""
VOLUMES, DROPPED = 362, 10
BLOCK = 20
"""Volumes of a block that is never split: 40 s, several times as long as the noise remembers."""
LABEL_EVERY = 3
"""Every third volume is labelled: neighbours' labels are nearly copies of each other."""
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
PREDICTORS = "sept18-generic-predictors-under-hrf-with-logfrqhal.txt"
RATE, FREQUENCY = 0, 1
VARIANCE = 0.5
"""Share of the word vectors' variance that the kept components hold."""
INTERVAL = re.compile(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "(.*?)"')
SILENCE = ("sp", "sil", "")


@dataclass(frozen=True)
class Story:
    """Everything of the corpus that the study uses; one row per volume."""

    features: pd.DataFrame
    """Index stimulus; features convolved with a haemodynamic response."""
    block: NDArray[np.int64]
    """Block of each volume."""
    label: pd.Series
    """Log frequency of the words heard (convolved, free of word rate) at the labelled volumes, standardised."""
    regions: NDArray[np.float64]
    """(person, volume, region), each series standardised."""
    people: tuple[str, ...]

    def volumes_of(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of some blocks, in the order of time."""
        return np.flatnonzero(np.isin(self.block, blocks))

    def labelled(self, rows: NDArray[np.int64]) -> pd.Series:
        """Return the labels among some rows."""
        return self.label[self.label.index.isin(self.features.index[rows])]


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _words(alignment: Path, vectors: Path) -> pd.DataFrame:
    """Return the words of the story with onset, duration and the components of their vectors."""
    found = INTERVAL.findall(alignment.read_text(encoding="utf-8"))
    spoken = [(float(a), float(b), word.strip().lower()) for a, b, word in found if word.strip() not in SILENCE]
    if not spoken:
        raise ValueError(f"{alignment} holds no words.")
    start, stop, word = zip(*spoken, strict=True)
    table = pd.DataFrame({"stimulus": range(len(word)), "word": word})
    # "don't" and the like are no words of the vectors; they get the mean
    components, _ = principal_components(join_words(table, read_vectors(vectors), fill=True).stimuli, VARIANCE)
    onset = np.asarray(start) - FIRST
    timed = components.drop(columns="stimulus").assign(onset=onset, duration=np.asarray(stop) - np.asarray(start))
    return timed[timed["onset"] >= 0.0]


def load(corpus: Path, vectors: Path, people: int = 27) -> Story:
    """Return the story from the folders of its two data sets, heard by some of the people."""
    data = corpus / "alice_data_shared"
    series = {path.name[:3]: np.loadtxt(path) for path in sorted((data / "10mm").glob("*.txt"))}
    usable = {person: values for person, values in series.items() if values.std() > 0}  # s33 is all zeros
    heard = dict(list(usable.items())[:people])
    predictors = np.loadtxt(data / PREDICTORS)[DROPPED:]
    events = _words(next((corpus / "alice_stim_shared").glob("*.TextGrid")), vectors / "glove50_subset.npz")
    features = volume_features(events, TR, {"run-1": VOLUMES}).drop(columns="group", errors="ignore")
    features = features.set_index("stimulus")
    features["rate"] = predictors[:, RATE]
    features["loudness"] = np.mean([np.loadtxt(data / f"{p}-sndpwr.txt")[:VOLUMES] for p in heard], axis=0)
    features = pd.DataFrame(_standard(features.to_numpy(dtype=float)), features.index, features.columns)
    label = pd.Series(_standard(predictors[:, [FREQUENCY]])[:, 0], index=features.index)
    regions = np.stack([_standard(values) for values in heard.values()])
    return Story(features, np.arange(VOLUMES) // BLOCK, label[::LABEL_EVERY], regions, tuple(heard))


def write_study(story: Story, blocks: NDArray[np.int64], folder: Path, shuffled: int | None = None) -> Path:
    """Write the study of a pilot and return its file; with a seed, the rows of the recordings come in random order."""
    folder.mkdir(parents=True, exist_ok=True)
    stimuli = story.features.copy()
    stimuli.insert(0, "group", [f"block {number:02d}" for number in story.block])
    stimuli.to_csv(folder / "stimuli.csv")
    rows = story.volumes_of(blocks)
    story.labelled(rows).rename("label").to_csv(folder / "labels.csv")
    order = rows if shuffled is None else np.random.default_rng(shuffled).permutation(rows)
    tables = [
        pd.DataFrame(story.regions[number][order], columns=list(REGIONS)).assign(
            subject=person, stimulus=story.features.index[order], session=1
        )
        for number, person in enumerate(story.people)
    ]
    pd.concat(tables).to_csv(folder / "fmri.csv", index=False)
    return Path(shutil.copyfile(HERE / "study.toml", folder / "study.toml"))
