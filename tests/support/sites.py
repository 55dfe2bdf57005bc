"""A pilot of two modalities, divided over several sites: each with a study file of its own people, and one with everyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

from brainworth.design.api import Study

STIMULI, FEATURES = 160, 6
PEOPLE = {"EEG": ("p1", "p2", "p3", "p4"), "fMRI": ("p1", "p3", "q1")}
"""By modality; p1 and p3 are in both."""


def tables(seed: int = 0, drift: float = 0.0) -> dict[str, pd.DataFrame]:
    """Return stimuli, labels and recordings: EEG in two sessions, half of it shown twice; noise that drifts if wanted."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((STIMULI, FEATURES)) * np.linspace(2.0, 0.5, FEATURES) + 3.0
    if drift:  # neighbours in time resemble each other, as words of a story
        x = np.stack([_drifting(rng.standard_normal(STIMULI), drift) for _ in range(FEATURES)], axis=1)
    latent = (x - x.mean(axis=0)) @ rng.standard_normal((FEATURES, 2)) / 4.0
    ids = [f"w{i:03d}" for i in range(STIMULI)]
    stimuli = pd.DataFrame(x, columns=[f"f{i}" for i in range(FEATURES)])
    stimuli.insert(0, "stimulus", ids)
    stimuli.insert(1, "group", [f"s{i // 4}" for i in range(STIMULI)])
    label = latent @ [1.0, -0.4] + 0.8 * rng.standard_normal(STIMULI)
    found = {"stimuli": stimuli, "labels": pd.DataFrame({"stimulus": ids[:110], "label": label[:110]})}
    for name, channels in (("EEG", 9), ("fMRI", 14)):
        patterns, parts = rng.standard_normal((2, channels)), []
        for number, person in enumerate(PEOPLE[name]):
            shown = np.arange(STIMULI) if name == "fMRI" or drift else rng.permutation(STIMULI)
            shown = np.concatenate([shown, shown[: STIMULI // 2]]) if name == "EEG" else shown[: STIMULI - 10 * number]
            noise = rng.standard_normal((len(shown), channels))
            if drift:
                noise = np.stack([_drifting(column, drift) for column in noise.T], axis=1)
            session = np.arange(len(shown)) // STIMULI
            gain = 0.6 + 0.3 * number
            values = gain * latent[shown] @ patterns + 1.5 * noise + 7.0 * session[:, None]
            part = pd.DataFrame(values, columns=[f"c{i}" for i in range(channels)])
            part.insert(0, "subject", person)
            part.insert(1, "stimulus", [ids[i] for i in shown])
            if name == "EEG":
                part.insert(2, "session", [f"day {i}" for i in session])
            parts.append(part)
        found[name] = pd.concat(parts, ignore_index=True)
    return found


def _drifting(white: np.ndarray, share: float) -> np.ndarray:
    values = np.array(white)
    for i in range(1, len(values)):
        values[i] = share * values[i - 1] + np.sqrt(1.0 - share**2) * white[i]
    return values


def write_site(folder: Path, data: Mapping[str, pd.DataFrame], people: Mapping[str, Sequence[str]]) -> Path:
    """Write the study of the people at one site, by modality; return the study file."""
    folder.mkdir(parents=True, exist_ok=True)
    modalities: list[dict[str, Any]] = []
    for name in PEOPLE:
        block: dict[str, Any] = {"name": name, "cost": {"per_sample": 0.5}, "design": {"max_samples": 3000}}
        if people.get(name):
            table = data[name]
            table[table["subject"].isin(people[name])].to_csv(folder / f"{name}.csv", index=False)
            block["recordings"] = f"{name}.csv"
        modalities.append(block)
    return write_study(folder, data, modalities)


def write_study(
    folder: Path, data: Mapping[str, pd.DataFrame], modalities: list[dict[str, Any]], seed: int = 3
) -> Path:
    """Write a study file with the tables that all sites know."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("stimuli", "labels"):
        data[name].to_csv(folder / f"{name}.csv", index=False)
    study = {
        "study": {"title": folder.name, "seed": seed},
        "stimuli": {"table": "stimuli.csv"},
        "task": {"labels": "labels.csv", "cost_per_label": 1.0, "max_labels": 2000},
        "modality": modalities,
        "budget": {"total": 500},
    }
    path = folder / "study.toml"
    path.write_text(tomli_w.dumps(study))
    return path


def exchanged(folder: Path, files: Sequence[Path], rounds: int = 2, *, pseudonyms: bool = False) -> list[Path]:
    """Return the summaries of sites after some rounds."""
    before: list[Path] = []
    for number in range(1, rounds + 1):
        written = [folder / f"{file.parent.name}_{number}.npz" for file in files]
        for file, path in zip(files, written, strict=True):
            Study.from_file(file).summarise(path, before, pseudonyms=pseudonyms)
        before = written
    return before
