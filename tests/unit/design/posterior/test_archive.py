"""The archive: every group with named axes, diagnostics, whole round trip; with ArviZ 0.x and 1.x alike."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.posterior import archive
from brainworth.models.posterior.chains import Chains

CHAINS, DRAWS = 4, 250


def _chains(rng: np.random.Generator) -> Chains:
    shapes = {"log_snr": (2, 3), "loading": (3,), "scale": (), "explainable": (), "brain_exponent": (), "gain": (2,)}
    sites = {name: rng.standard_normal((CHAINS, DRAWS, *shape)) for name, shape in shapes.items()}
    statistics = {"diverging": np.zeros((CHAINS, DRAWS)), "energy": rng.standard_normal((CHAINS, DRAWS))}
    seen = {name: rng.standard_normal((CHAINS, DRAWS, 2, 3)) for name in ("brain", "slope")}
    seen["task"] = rng.standard_normal((CHAINS, DRAWS))
    return Chains(sites, statistics, seen, {"scale": sites["scale"] ** 2, "gain_raw": sites["gain"]})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Chains, Path]:
    rng = np.random.default_rng(0)
    chains = _chains(rng)
    names = archive.AxisNames(("fMRI", "EEG"), ("EEG:a", "EEG:b"), 3)
    extras = archive.Extras(
        prior={"scale": rng.standard_normal((1, 50))},
        prior_predictive={"encoding_accuracy": rng.random((1, 50, 2, 3))},
        posterior_predictive={"encoding_accuracy": rng.random((1, 50, 2, 3))},
        observed_data={"encoding_accuracy": np.ones((2, 3)), "person_slope": np.ones((2, 3))},
    )
    data = archive.to_arviz(chains, names, {"samples": np.ones(2)}, extras)
    assert data["log_likelihood"]["brain"].dims == ("chain", "draw", "modality", "latent")
    assert data["observed_data"]["person_slope"].dims == ("person", "latent")
    assert data["posterior"]["log_snr"].sel(modality="EEG", latent=2).shape == (CHAINS, DRAWS)
    data["posterior"].attrs.update({"fingerprint": "mark", "notes": json.dumps({"a": 1})})
    path = tmp_path_factory.mktemp("archive") / "posterior.nc"
    archive.write_archive(data, path)
    return chains, path


def test_round_trip(saved: tuple[Chains, Path]) -> None:
    chains, path = saved
    read = archive.read_archive(path, "mark")
    assert read is not None
    for name, value in chains.sites.items():
        assert read.chains.sites[name] == pytest.approx(value)
    assert read.constants["samples"].tolist() == [1.0, 1.0]
    assert read.notes == {"a": 1}
    assert archive.read_archive(path, "another") is None


def test_log_densities_are_totals_by_draw(saved: tuple[Chains, Path]) -> None:
    chains, path = saved
    found = archive.log_densities(path)
    assert set(found) == {"prior", "brain", "slope", "task"}
    expected = chains.log_prior["scale"] + chains.log_prior["gain_raw"].sum(axis=2)
    assert found["prior"] == pytest.approx(expected.ravel())
    assert found["brain"] == pytest.approx(chains.log_likelihood["brain"].sum(axis=(2, 3)).ravel())


def test_log_densities_that_cannot_be_read_are_named_with_their_file(
    saved: tuple[Chains, Path], tmp_path: Path
) -> None:
    """The content hash does not hold them, so that the archive itself is trusted."""
    import h5py

    path = tmp_path / "posterior.nc"
    path.write_bytes(saved[1].read_bytes())
    with h5py.File(path, "a") as file:
        del file["log_prior"]
    with pytest.raises(BadInput, match=r"posterior\.nc.*log densities.*plan again"):
        archive.log_densities(path)


def test_diagnostics_tell_mixed_chains_from_stuck_ones() -> None:
    """1,000 independent draws: an R-hat above 1.03 or an ESS below 500 has a false-alarm rate below 1e-3."""
    rng = np.random.default_rng(1)
    chains = _chains(rng)
    names = archive.AxisNames(("fMRI", "EEG"), ("EEG:a", "EEG:b"), 3)
    good = archive.diagnostics(archive.to_arviz(chains, names, {}))
    assert good["rhat"] < 1.03
    assert min(good["ess_bulk"], good["ess_tail"]) > 500
    chains.sites["scale"][0] += 5.0
    bad = archive.diagnostics(archive.to_arviz(chains, names, {}))
    assert bad["rhat"] > 1.5
    assert bad["ess_bulk"] < 50


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_a_damaged_or_edited_archive_is_told_from_another_one(
    saved: tuple[Chains, Path], position: float, tmp_path: Path
) -> None:
    _, path = saved
    content = bytearray(path.read_bytes())
    cut = tmp_path / "cut.nc"
    cut.write_bytes(content[: int(position * len(content))])
    with pytest.raises(archive.DamagedArchive):
        archive.read_archive(cut, "mark")


@pytest.mark.parametrize("change", ["value", "nan", "notes", "site"])
def test_an_edited_archive_is_not_trusted(saved: tuple[Chains, Path], change: str, tmp_path: Path) -> None:
    import h5py

    edited = tmp_path / "edited.nc"
    edited.write_bytes(saved[1].read_bytes())
    with h5py.File(edited, "r+") as file:
        group: Any = file["posterior"]
        if change == "notes":
            group.attrs["notes"] = "{"
        elif change == "site":
            del group["scale"]
        else:
            group["scale"][0, 0] = np.nan if change == "nan" else 1.5
    with pytest.raises(archive.DamagedArchive):
        archive.read_archive(edited, "mark")
    assert archive.read_archive(edited, "another") is None


def test_constants_of_earlier_versions_are_read_under_their_new_names(tmp_path: Path) -> None:
    chains, names = _chains(np.random.default_rng(2)), archive.AxisNames(("fMRI", "EEG"), ("EEG:a", "EEG:b"), 3)
    data = archive.to_arviz(chains, names, {"alike": np.ones(2), "alike_quantiles": np.ones((2, 7))})
    data["posterior"].attrs.update({"fingerprint": "mark", "notes": "{}"})
    archive.write_archive(data, tmp_path / "posterior.nc")
    read = archive.read_archive(tmp_path / "posterior.nc", "mark")
    assert read is not None
    assert set(read.constants) == {"shared_noise", "shared_noise_quantiles", "person_modality"}
    assert read.constants["person_modality"].size == 0, "an empty array is not in the file"


def test_an_archive_has_the_mode_of_other_files(saved: tuple[Chains, Path], tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert saved[1].stat().st_mode == plain.stat().st_mode


def test_a_full_disk_leaves_no_half_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = archive.AxisNames(("EEG",), ("EEG:a",), 1)
    sites = {"scale": np.zeros((2, 5)) + np.arange(5)}
    data = archive.to_arviz(Chains(sites, {"diverging": np.zeros((2, 5))}, {}, {}), names, {"samples": np.ones(2)})
    data["posterior"].attrs.update({"fingerprint": "mark", "notes": "{}"})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("brainworth.design.common.files.os.fsync", full)
    with pytest.raises(BadInput, match="No space left"):
        archive.write_archive(data, tmp_path / "posterior.nc")
    assert list(tmp_path.iterdir()) == []
