"""System files: what is read, and every way they can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.study_file.system_file import parse_system, read_system

GOOD: dict[str, Any] = {
    "signal_variance": 1.0,
    "noise_variance": 2.0,
    "alignment": [0.3, 0.1],
    "spectrum": {"dimension": 200, "exponent": 1.0},
    "source": [{"name": "fMRI", "channels": 60, "snr": [4.0, 1.0]}, {"name": "EEG", "channels": 30, "snr": [0.5, 0]}],
}


def test_content() -> None:
    named = parse_system(GOOD)
    system = named.system
    assert named.sources == ("fMRI", "EEG")
    np.testing.assert_array_equal(system.snr, [[4.0, 1.0], [0.5, 0.0]])
    np.testing.assert_array_equal(system.channels, [60.0, 30.0])
    shares = np.asarray(system.brain_shares)
    np.testing.assert_allclose(shares / shares[0], 1.0 / np.arange(1, 201), rtol=1e-12)
    np.testing.assert_allclose(shares.sum(), 1.0)
    np.testing.assert_allclose(system.task_shares, shares)


def test_values_are_the_shares() -> None:
    system = parse_system(GOOD | {"spectrum": {"values": [3.0, 1.0]}}).system
    np.testing.assert_allclose(system.brain_shares, [0.75, 0.25])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"noise_variance": 0.0}, "noise_variance.*greater than 0"),
        ({"noise_variance": "2"}, "noise_variance.*number"),
        ({"noise_varianse": 1.0}, "noise_varianse.*Did you mean 'noise_variance'"),
        ({"signal_variance": float("inf")}, "signal_variance.*finite"),
        ({"alignment": [0.8, 0.3]}, r"sums to 1\.1.*at most 1"),
        ({"alignment": [0.8]}, "source 'fMRI' has 2 snr, alignment 1"),
        ({"alignment": []}, "alignment"),
        ({"alignment": [-0.1, 0.1]}, "alignment number 1.*greater than or equal to 0"),
        ({"spectrum": {"dimension": 0, "exponent": 1.0}}, "spectrum > dimension"),
        ({"spectrum": {"dimension": 10**9, "exponent": 1.0}}, "spectrum > dimension"),
        ({"spectrum": {"dimension": 20}}, "spectrum.*exponent"),
        ({"spectrum": {}}, "spectrum.*exponent, or values"),
        (
            {"spectrum": {"dimension": 3, "exponent": 1.0, "values": [1.0]}},
            "spectrum.*exponent, or values",
        ),
        ({"spectrum": {"values": [1.0, 0.0]}}, "spectrum > values number 2"),
        ({"spectrum": {"values": [1.0, float("nan")]}}, "spectrum > values number 2"),
        ({"source": []}, "source"),
        ({"source": [GOOD["source"][0], GOOD["source"][0]]}, "two sources are called 'fMRI'"),
        ({"source": [{"name": "fMRI", "channels": 0, "snr": [1.0, 1.0]}]}, "source 'fMRI' > channels"),
        ({"source": [{"name": "fMRI", "channels": 6, "snr": [1.0, -1.0]}]}, "source 'fMRI' > snr number 2"),
        (
            {"source": [{"name": "fMRI", "chanels": 6, "snr": [1.0]}]},
            "chanels.*Did you mean 'channels'",
        ),
    ],
)
def test_wrong_systems(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadInput, match=expected) as caught:
        parse_system(GOOD | change, "system.toml")
    assert str(caught.value).startswith("system.toml: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("key", ["noise_variance", "alignment", "spectrum", "source"])
def test_missing_keys(key: str) -> None:
    with pytest.raises(BadInput, match=f"'{key}' is missing"):
        parse_system({k: v for k, v in GOOD.items() if k != key})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_system(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="folder"):
        read_system(tmp_path)
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(BadInput, match="1 MiB"):
        read_system(big)
    deep = tmp_path / "deep.toml"
    deep.write_text("a = " + "[" * 100_000)
    with pytest.raises(BadInput, match=r"deep\.toml"):
        read_system(deep)
