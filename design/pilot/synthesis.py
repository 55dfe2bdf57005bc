"""Simulated studies as folders that every command can read, and the embedded example of ``brainworth demo``.

In: a named system, numbers of samples. Out: ``study.toml``, tables, and ``truth.toml`` (the system itself) in a folder. Errors:
an unknown source, counts too small for a study, a folder that is not empty; each a ``BadInput``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from brainworth.design.common.files import write_atomic
from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.study_file.system_file import NamedSystem, read_system
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.worlds.simulate import SourceSize, StudySize, simulate_study

_FILES = ("stimuli", "labels")
"""Tables of a simulated study beside the recordings of each source."""
PRICES: dict[str, dict[str, Any]] = {
    "fMRI": {
        "per_session": 600.0,
        "samples_per_session": 300,
        "per_subject": 50.0,
        "setup": 1000.0,
        "usable_fraction": 0.9,
    },
    "EEG": {
        "per_session": 120.0,
        "samples_per_session": 500,
        "per_subject": 30.0,
        "setup": 300.0,
        "usable_fraction": 0.85,
    },
}
"""Prices of the example study, in USD."""
PLAIN_PRICES: dict[str, Any] = {"per_sample": 0.5}


def demo_system() -> NamedSystem:
    """Return the system of the embedded example."""
    with as_file(files("brainworth.design.pilot").joinpath("demo/system.toml")) as path:
        return read_system(path)


def write_demo(folder: Path, seed: int = 0) -> Path:
    """Write the embedded example study, a simulated fMRI and EEG pilot, and return its study file."""
    size = StudySize(
        sources=(SourceSize("fMRI", 300, people=2, shared=True), SourceSize("EEG", 1200, people=4, shared=True)),
        n_task=240,
        n_stimuli=600,
    )
    return _write(demo_system(), size, folder, seed, _demo_config(seed))


def _demo_config(seed: int) -> dict[str, Any]:
    return {
        "study": {"title": "Example: simulated fMRI and EEG pilot, truth known", "seed": seed},
        "stimuli": {"table": "stimuli.csv"},
        "task": {"labels": "labels.csv", "cost_per_label": 30.0, "max_labels": 20000},
        "modality": [
            {
                "name": name,
                "recordings": f"{name}.csv",
                "new_subjects": True,
                "cost": PRICES[name],
                "design": {"max_subjects": 30, "max_sessions_per_subject": 4, "repeats": [1, 2]},
            }
            for name in ("fMRI", "EEG")
        ],
        "budget": {"total": 12000.0, "currency": "USD"},
    }


def write_simulation(named: NamedSystem, brain: Mapping[str, int], n_task: int, folder: Path, seed: int) -> Path:
    """Write a synthetic pilot study of a system and return its study file.

    Parameters
    ----------
    named : NamedSystem
        Known parameters.
    brain : mapping of str to int
        Brain samples of each source, one person each; sources that are not named have no recordings.
    n_task : int
        Labels.
    folder : Path
        A new or empty folder.
    seed : int
        Seed of everything.

    Raises
    ------
    BadInput
        An unknown source, a count below 20, a folder that is not empty.
    """
    for name, count in brain.items():
        if name not in named.sources:
            hint = did_you_mean(name, named.sources)
            raise problem(
                "--brain", name, "the system has no such source", f"Its sources are {quoted_list(named.sources)}.{hint}"
            )
        if count < 20:
            raise problem("--brain", name, f"got {count}", "A pilot needs at least 20 samples of a source.")
    if n_task < 20:
        raise problem("--task", "", f"got {n_task}", "A pilot needs at least 20 labels.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise problem(folder, "", "this is not an empty folder", "Choose a new or an empty folder.")
    sources = tuple(SourceSize(name, int(brain.get(name, 0)), shared=True) for name in named.sources)
    stimuli = int(max(n_task, *brain.values(), 20)) if brain else n_task
    size = StudySize(sources=sources, n_task=n_task, n_stimuli=max(stimuli, 100))
    config = {
        "study": {"title": "Simulated study", "seed": seed},
        "stimuli": {"table": "stimuli.csv"},
        "task": {"labels": "labels.csv", "cost_per_label": 1.0, "max_labels": 100 * n_task},
        "modality": [
            {"name": name, "new_subjects": True, "cost": PLAIN_PRICES}
            | ({"recordings": f"{name}.csv"} if brain.get(name) else {})
            for name in named.sources
        ],
        "budget": {"total": float(10 * n_task), "currency": "USD"},
    }
    return _write(named, size, folder, seed, config)


def _write(named: NamedSystem, size: StudySize, folder: Path, seed: int, config: dict[str, Any]) -> Path:
    kept = [index for index, source in enumerate(size.sources) if source.samples]
    pilot, _ = simulate_study(named.system, size, seed)
    folder.mkdir(parents=True, exist_ok=True)
    taken = sorted({name for name in (m["name"] for m in config["modality"]) if name.casefold() in _FILES})
    if taken:
        right = "Call the source of the system file something else."
        raise problem("source", "name", f"{quoted_list(taken)} is the name of another file of the study", right)
    write_atomic(folder / "stimuli.csv", _stimuli(pilot))
    write_atomic(folder / "labels.csv", _labels(pilot))
    for index in kept:
        name = size.sources[index].name
        write_atomic(folder / f"{name}.csv", _recordings([r for r in pilot.recordings if r.modality == name]))
    write_atomic(folder / "truth.toml", tomli_w.dumps(_system_table(named)).encode())
    return write_atomic(folder / "study.toml", tomli_w.dumps(config).encode())


def _text(header: list[str], keys: list[list[str]], values: np.ndarray) -> bytes:
    buffer = io.StringIO()
    buffer.write(",".join(header) + "\n")
    for row, numbers in zip(keys, values, strict=True):
        buffer.write(",".join([*row, *(f"{x:.6g}" for x in numbers)]) + "\n")
    return buffer.getvalue().encode()


def _stimuli(pilot: Pilot) -> bytes:
    names = [f"f{i + 1}" for i in range(pilot.features.shape[1])]
    return _text(["stimulus", *names], [[f"s{i + 1}"] for i in range(len(pilot.features))], pilot.features)


def _labels(pilot: Pilot) -> bytes:
    return _text(["stimulus", "label"], [[f"s{i + 1}"] for i in pilot.label_stimulus], pilot.label[:, None])


def _recordings(people: list[Recording]) -> bytes:
    header = ["subject", "stimulus", *(f"c{i + 1}" for i in range(people[0].channels.shape[1]))]
    keys = [[person.subject, f"s{i + 1}"] for person in people for i in person.stimulus]
    return _text(header, keys, np.concatenate([person.in_memory for person in people]))


def _system_table(named: NamedSystem) -> dict[str, Any]:
    system = named.system
    count = np.round(np.asarray(system.spectrum.count)).astype(int)
    return {
        "signal_variance": float(system.signal_variance),
        "noise_variance": float(system.noise_variance),
        "alignment": np.asarray(system.alignment).tolist(),
        "spectrum": {"values": np.repeat(np.asarray(system.spectrum.variance), count).tolist()},
        "source": [
            {"name": name, "channels": int(system.channels[i]), "snr": np.asarray(system.snr[i]).tolist()}
            for i, name in enumerate(named.sources)
        ],
    }


def truth_covered(named: NamedSystem, record: Mapping[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Return (truth, q05, q95) of every parameter of a plan whose truth is known."""
    system = named.system
    posterior = record["posterior"]
    true: dict[str, float] = {
        "alignment": float(np.sum(np.asarray(system.alignment))),
        "signal_variance": float(system.signal_variance),
        "noise_variance": float(system.noise_variance),
    }
    found = {name: (value, posterior[name]["q05"], posterior[name]["q95"]) for name, value in true.items()}
    for index, name in enumerate(named.sources):
        value, interval = float(np.sum(np.asarray(system.snr[index]))), posterior["snr"][name]
        found[f"snr of {quoted(name)}"] = (value, interval["q05"], interval["q95"])
    return found
