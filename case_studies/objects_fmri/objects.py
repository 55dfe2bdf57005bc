"""The 92 objects as tables of a study: image models as features, IT patterns as recordings, judged similarity as the task.

In: the folder of the data set ``kriegeskorte92_fmri_objects``. Out: ``Objects``, and the csv files of a study. A missing
matrix is a ``KeyError``.

The data are representational dissimilarity matrices (RDMs). One minus a matrix of correlation distances is the Gram matrix
of the patterns behind it, each standardised over its own voxels; the eigenvectors of that matrix, scaled, are the
patterns up to a rotation of voxel space. Which stimuli enter the Gram matrix is our choice: a pilot is recovered
from the rows and columns of its own images alone.
"""

# pyright: reportArgumentType=false
# (pandas' own annotations are incomplete)

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.linalg import null_space

HERE = Path(__file__).parent
PEOPLE = ("BE", "KO", "SN", "TI")
MODELS = ("HMAX", "V1", "Silhouette", "RADON")
"""Models of images. "EVA" and "monkeyIT" are recordings of brains, "animacy" and the category model are the experimenters' labels:
none of them is a feature that a model of new images would have."""
VARIANCE = 0.8
"""Share of the features' variance that the kept components hold."""
CHANNELS = 20
"""Leading components of the patterns of one person that serve as channels."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Objects:
    """Everything of the data set that the study uses."""

    features: pd.DataFrame
    """Index stimulus; principal components of the models of images."""
    label: pd.Series
    """Leading dimension of the judgements, standardised; animate images are high."""
    gram: dict[str, Matrix]
    """By person: (stimulus, stimulus), inner products of the patterns of both sessions side by side."""
    reliability: dict[str, float]
    """By person: correlation of the dissimilarities of the two sessions."""

    def recordings(self, rows: NDArray[np.int64]) -> dict[str, Matrix]:
        """Return (stimulus, channel) by person, recovered from some stimuli alone."""
        return {person: embedded(gram[np.ix_(rows, rows)])[:, :CHANNELS] for person, gram in self.gram.items()}


def embedded(gram: Matrix) -> Matrix:
    """Return coordinates whose inner products are those of a Gram matrix, centred; largest variance first."""
    centring = np.eye(len(gram)) - 1.0 / len(gram)
    values, vectors = np.linalg.eigh(centring @ gram @ centring)
    order = np.argsort(values)[::-1]
    found = vectors[:, order] * np.sqrt(np.clip(values[order], 0.0, None))
    return found * np.where(found.sum(axis=0) < 0, -1.0, 1.0)


def _features(models: dict[str, Matrix]) -> pd.DataFrame:
    """Return the principal components of all models side by side, each model with the same total variance."""
    grams = [1.0 - models[name] for name in MODELS]
    centring = np.eye(92) - 1.0 / 92
    found = embedded(sum(gram / np.trace(centring @ gram @ centring) for gram in grams))
    share = np.cumsum(found.var(axis=0)) / found.var(axis=0).sum()
    kept = int(np.searchsorted(share, VARIANCE)) + 1
    scaled = found[:, :kept] / np.sqrt(found.var(axis=0).sum())
    return pd.DataFrame(scaled, columns=[f"component_{i + 1:02d}" for i in range(kept)])


def _named(file: Path, key: str) -> dict[str, Matrix]:
    records: Any = loadmat(file)[key].ravel()
    return {str(record["name"][0]): np.asarray(record["RDM"], dtype=float) for record in records}


def load(folder: Path) -> Objects:
    """Return the data set."""
    models = _named(folder / "92_modelRDMs.mat", "Models")
    brains = _named(folder / "92_brainRDMs.mat", "RDMs")
    judged = np.mean(list(_named(folder / "92_behavRDMs.mat", "rdms_behav_92").values()), axis=0)
    names = pd.Index([f"image {number:02d}" for number in range(1, 93)], name="stimulus")
    leading = embedded(-0.5 * judged)[:, 0]
    # The first 48 images are animate: the 0/1 model of animacy says so, and the label is turned to agree.
    animate = models["animacy"][0] < 0.5
    leading = leading * np.sign(leading[animate].mean() - leading[~animate].mean())
    gram: dict[str, Matrix] = {}
    reliability: dict[str, float] = {}
    pairs = np.triu_indices(92, 1)
    for person in PEOPLE:
        sessions = [brains[f"hIT | {person} | Session: {session}"] for session in (1, 2)]
        gram[person] = sum(1.0 - rdm for rdm in sessions)
        reliability[person] = float(np.corrcoef(sessions[0][pairs], sessions[1][pairs])[0, 1])
    label = pd.Series((leading - leading.mean()) / leading.std(), index=names, name="label")
    return Objects(_features(models).set_index(names), label, gram, reliability)


def shared_rest(objects: Objects, rotations: int = 200) -> tuple[list[float], float]:
    """Return how alike two people's patterns are beyond the features, for every pair, and the 95 % point of chance.

    Patterns are projected on what is orthogonal to all features; of the Gram matrices there, the part that differs from a
    multiple of the identity is correlated between people. Chance is a random rotation of one of them.
    """
    rest = null_space(np.column_stack([np.ones(92), objects.features.to_numpy()]).T)
    rng, found, chance = np.random.default_rng(0), [], []

    def apart(gram: Matrix) -> Matrix:
        inner = rest.T @ gram @ rest
        inner = inner - np.eye(len(inner)) * np.trace(inner) / len(inner)
        return inner / np.linalg.norm(inner)

    for one, other in combinations(objects.gram.values(), 2):
        first, second = apart(one), apart(other)
        found.append(float(np.sum(first * second)))
        for _ in range(rotations):
            turn = np.linalg.qr(rng.standard_normal(first.shape))[0]
            chance.append(float(np.sum(first * (turn @ second @ turn.T))))
    return sorted(found), float(np.quantile(chance, 0.95))


def write_study(objects: Objects, rows: NDArray[np.int64], folder: Path) -> Path:
    """Write the study of a pilot and return its file: features of all images, labels and patterns of the pilot's."""
    folder.mkdir(parents=True, exist_ok=True)
    objects.features.to_csv(folder / "stimuli.csv")
    objects.label.iloc[rows].to_csv(folder / "labels.csv")
    tables = [
        pd.DataFrame(values, columns=[f"channel_{i + 1:02d}" for i in range(values.shape[1])]).assign(
            subject=person, stimulus=objects.features.index[rows]
        )
        for person, values in objects.recordings(rows).items()
    ]
    pd.concat(tables).to_csv(folder / "fmri.csv", index=False)
    return Path(shutil.copyfile(HERE / "study.toml", folder / "study.toml"))
