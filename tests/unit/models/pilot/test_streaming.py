"""The chunked passes equal the in-memory path to 1e-10, resume bit for bit, and keep their memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from brainworth.design.common.errors import BadInput
from brainworth.design.pilot import streaming
from brainworth.design.pilot.streaming import LargeRecording, Pass, stream_moments
from brainworth.design.pilot.tables import rows as rows_module
from brainworth.design.pilot.tables.rows import open_rows, slices
from brainworth.models.pilot import streaming as models_streaming
from brainworth.models.pilot.encoder import fit_encoder
from brainworth.models.pilot.evidence import Rows
from brainworth.models.pilot.pilot import Recording
from brainworth.models.pilot.readouts import aligned_to, cross_fitted_readouts
from brainworth.models.pilot.statistics import CentredSource, FeatureBasis, SourceStatistics, centred_source
from brainworth.models.pilot.streamed_readouts import SampleReader, channel_accuracy, main_channels
from brainworth.models.pilot.streaming import Moments

N, P, Q, FOLDS = 3000, 12, 9, 4
TOLERANCE = 1e-10


def pilot(seed: int = 0, offset: float = 50.0) -> dict[str, np.ndarray]:
    """Two latents in 9 channels; sessions of unequal size (two are pooled), offsets of ``offset`` standard deviations."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((N, P)) @ np.diag(np.arange(1.0, P + 1)) + 100.0
    latent = (features - 100.0) @ rng.standard_normal((P, 2)) / 20.0
    session = np.sort(rng.choice(6, N, p=[0.4, 0.3, 0.2, 0.097, 0.002, 0.001]))
    channels = (
        latent @ rng.standard_normal((2, Q)) + rng.standard_normal((N, Q)) + offset * np.minimum(session, 4)[:, None]
    )
    return {"features": features, "channels": channels, "session": session, "fold": rng.integers(0, FOLDS, N)}


def in_memory(data: dict[str, np.ndarray], basis: FeatureBasis) -> CentredSource:
    recording = Recording("EEG", "s", np.arange(N), data["channels"], data["session"])
    return centred_source(recording, basis.transform(data["features"]))


def recording_of(data: dict[str, np.ndarray], **changes: Any) -> LargeRecording:
    return LargeRecording.of(**(data | changes))


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert np.max(np.abs(found - expected)) <= TOLERANCE * np.max(np.abs(expected))


def same_statistics(found: SourceStatistics, expected: SourceStatistics) -> None:
    for name in ("gram", "cross", "channel_gram"):
        close(getattr(found, name), getattr(expected, name))
    assert found.n == expected.n


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "CHUNK_BYTES", 8 * (P + Q) * 300)


@pytest.mark.parametrize("panel", [4, 5, 1000])
def test_the_number_of_threads_changes_no_bit(panel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_streaming, "PANEL", panel)
    data = pilot()
    one, many = (stream_moments(recording_of(data), Pass(threads=threads)) for threads in (1, 3))
    basis = FeatureBasis.from_features(data["features"])
    source = in_memory(data, basis)
    for a, b in zip(one.by_fold(basis), many.by_fold(basis), strict=True):
        np.testing.assert_array_equal(a.statistics.gram, b.statistics.gram)
        np.testing.assert_array_equal(a.statistics.channel_gram, b.statistics.channel_gram)
    same_statistics(one.by_fold(basis)[0].statistics, source.statistics(data["fold"] == 0))


@pytest.mark.parametrize("offset", [0.0, 50.0, 1e5])
def test_every_fold_equals_the_in_memory_path(offset: float) -> None:
    data = pilot(offset=offset)
    basis = FeatureBasis.from_features(data["features"])
    source = in_memory(data, basis)
    moments = stream_moments(recording_of(data))
    folds = moments.by_fold(basis)
    assert len(folds) == FOLDS
    for fold, part in enumerate(folds):
        held = data["fold"] == fold
        same_statistics(part.statistics, source.statistics(held))
        scale = np.abs(source.channels).sum(axis=0).max()
        np.testing.assert_allclose(part.channel_sum, source.channels[held].sum(axis=0), atol=TOLERANCE * scale)
        np.testing.assert_allclose(part.coordinate_sum, source.coordinates[held].sum(axis=0), atol=1e-7)
    whole = folds[0].statistics
    for part in folds[1:]:
        whole += part.statistics
    same_statistics(whole, source.statistics())


def test_sums_around_zero_would_lose_the_digits() -> None:
    """The twin that must fail: without a provisional mean, offsets of 1e5 standard deviations cost ten digits."""
    data = pilot(offset=1e5)
    basis = FeatureBasis.from_features(data["features"])
    source = in_memory(data, basis)
    recording = recording_of(data)
    naive = Moments.empty(P, Q, FOLDS, int(recording.block.max()) + 1)
    naive.shift[:] = 0.0
    for start, stop in recording.slices():
        naive.absorb(recording.chunk(start, stop))
    worst = max(
        np.max(np.abs(part.statistics.channel_gram - source.statistics(data["fold"] == fold).channel_gram))
        for fold, part in enumerate(naive.by_fold(basis))
    )
    assert worst > TOLERANCE * np.max(np.abs(source.statistics().channel_gram))


def test_the_order_of_chunks_and_their_size_do_not_matter() -> None:
    data = pilot()
    basis = FeatureBasis.from_features(data["features"])
    recording = recording_of(data)
    expected = stream_moments(recording).by_fold(basis)
    order = list(reversed(recording.slices()))
    pieces = [(a, m) for a, b in order for m in (min(a + 77, b),)] + [(a + 77, b) for a, b in order if b > a + 77]
    blocks = int(recording.block.max()) + 1
    backwards = Moments.empty(P, Q, FOLDS, blocks)
    for start, stop in pieces:
        backwards.absorb(recording.chunk(start, stop))
    turned = backwards.by_fold(basis)
    for a, b in zip(turned, expected, strict=True):
        same_statistics(a.statistics, b.statistics)


def test_features_by_stimulus() -> None:
    data = pilot()
    rng = np.random.default_rng(1)
    stimulus = rng.integers(0, 500, N)
    table = data["features"][:500]
    long = recording_of(data, features=table[stimulus])
    short = recording_of(data, features=table, stimulus=stimulus)
    basis = FeatureBasis.from_features(table)
    for a, b in zip(stream_moments(short).by_fold(basis), stream_moments(long).by_fold(basis), strict=True):
        same_statistics(a.statistics, b.statistics)


def _zarr(path: Path, values: np.ndarray) -> Any:
    zarr = pytest.importorskip("zarr", reason="the extra 'zarr' is not installed")
    return zarr.create_array(path, data=values, chunks=(130, values.shape[1]))


def test_files_and_arrays_give_the_same(tmp_path: Path) -> None:
    data = {name: values.astype(np.float32) if values.ndim == 2 else values for name, values in pilot().items()}
    basis = FeatureBasis.from_features(data["features"])
    expected = stream_moments(recording_of(data)).by_fold(basis)
    np.save(tmp_path / "features.npy", data["features"])
    np.save(tmp_path / "channels.npy", data["channels"])
    _zarr(tmp_path / "channels.zarr", data["channels"])
    dask = pytest.importorskip("dask.array", reason="the extra 'cluster' is not installed")
    with h5py.File(tmp_path / "pilot.h5", "w") as file:
        file.create_dataset("channels", data=data["channels"], chunks=(100, Q))
        for channels in (
            tmp_path / "channels.npy",
            tmp_path / "channels.zarr",
            np.load(tmp_path / "channels.npy", mmap_mode="r"),
            file["channels"],
            dask.from_array(data["channels"], chunks=(250, 4)),
        ):
            recording = recording_of(data, features=tmp_path / "features.npy", channels=channels)
            for a, b in zip(stream_moments(recording).by_fold(basis), expected, strict=True):
                same_statistics(a.statistics, b.statistics)


def test_read_outs_need_only_a_second_pass() -> None:
    """The whole chain of ``cross_fitted_readouts``, from statistics and a second pass, against itself in memory."""
    data = pilot()
    basis = FeatureBasis.from_features(data["features"])
    source = in_memory(data, basis)
    variance, shares = basis.variance, basis.variance / basis.variance.sum()
    recording = recording_of(data)
    moments = stream_moments(recording)
    folds = moments.by_fold(basis)
    encoder = fit_encoder([source.statistics()], variance, shares, 2)
    expected = cross_fitted_readouts([source], data["fold"], encoder, variance, shares)
    assert expected.confirmed == 2
    total = folds[0].statistics
    for part in folds[1:]:
        total += part.statistics
    fitted = [fit_encoder([total - part.statistics], variance, shares, 2, None, encoder) for part in folds]
    aligned = [aligned_to(part, encoder, variance, expected.confirmed) for part in fitted]
    reader = SampleReader(0, aligned, basis, moments.session_means())
    readings = reader.read_all(recording.chunk(start, stop) for start, stop in recording.slices())
    np.testing.assert_allclose(readings.raw / expected.noise_scale[0], expected.latents[0], atol=1e-6)
    np.testing.assert_allclose(readings.predicted, expected.predictions[0], atol=1e-6)
    np.testing.assert_allclose(channel_accuracy(folds, aligned, 0), expected.channel_accuracy[0], atol=1e-6)
    assert np.min(expected.channel_accuracy[0]) > 0.1
    assert np.all(readings.energy >= readings.predicted**2)


def test_evidence_from_statistics() -> None:
    data = pilot()
    basis = FeatureBasis.from_features(data["features"])
    source = in_memory(data, basis)
    spread = np.sqrt(np.mean(source.channels**2, axis=0))
    left, values, _ = np.linalg.svd(source.channels / spread, full_matrices=False)
    expected = Rows.of(source.coordinates, left[:, :8] * values[:8], np.ones(N))
    found = main_channels(source.statistics())
    close(found.gram, expected.gram)
    close(np.abs(found.cross), np.abs(expected.cross))
    close(found.squares, expected.squares)
    assert found.count == expected.count


class Interrupted(Exception):
    pass


def interrupted_after(rows: int) -> Any:
    def progress(done: int, total: int) -> None:
        if done >= rows:
            raise Interrupted

    return progress


def test_an_interrupted_pass_resumes_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pilot()
    np.save(tmp_path / "channels.npy", data["channels"])
    recording = recording_of(data, channels=tmp_path / "channels.npy")
    expected = stream_moments(recording)
    checkpoint = tmp_path / "pass.npz"
    with pytest.raises(Interrupted):
        stream_moments(recording, Pass(checkpoint, 0.0, interrupted_after(2000)))
    assert checkpoint.is_file()
    read: list[int] = []
    original = LargeRecording.chunk

    def counted(self: LargeRecording, start: int, stop: int) -> Any:
        read.append(start)
        return original(self, start, stop)

    monkeypatch.setattr(LargeRecording, "chunk", counted)
    resumed = stream_moments(recording, Pass(checkpoint, 0.0))
    assert min(read) == 1800, "what was done before the last checkpoint is not read again"
    assert not checkpoint.exists()
    for a, b in zip(
        (*resumed.second, resumed.first, resumed.count), (*expected.second, expected.first, expected.count), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_other_data_or_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    data = pilot()
    checkpoint = tmp_path / "pass.npz"
    with pytest.raises(Interrupted):
        stream_moments(recording_of(data), Pass(checkpoint, 0.0, interrupted_after(2000)))
    other = recording_of(pilot(seed=1))
    np.testing.assert_array_equal(stream_moments(other, Pass(checkpoint, 1e9)).first, stream_moments(other).first)
    for content in (b"", b"PK\x03\x04 nothing", None):
        with pytest.raises(Interrupted):
            stream_moments(recording_of(data), Pass(checkpoint, 0.0, interrupted_after(2000)))
        checkpoint.write_bytes(checkpoint.read_bytes()[:-500] if content is None else content)
        found = stream_moments(recording_of(data), Pass(checkpoint, 1e9))
        np.testing.assert_array_equal(found.first, stream_moments(recording_of(data)).first)


def test_what_can_be_wrong(tmp_path: Path) -> None:
    data = pilot()
    for changes, words in (
        ({"features": data["features"][:5]}, "features: it has 5 rows, channels have 3000"),
        ({"fold": data["fold"][:5]}, "fold: it has 5 rows"),
        ({"session": data["session"][:5]}, "session: it has 5 rows"),
        ({"stimulus": np.full(N, N)}, "a sample has no row of features"),
        ({"fold": data["fold"] - 1}, "a fold is negative"),
        ({"channels": tmp_path / "absent.npy"}, r"absent\.npy: its rows cannot be read"),
        ({"channels": [[1.0]]}, "channels: got a list"),
    ):
        with pytest.raises(BadInput, match=words):
            recording_of(data, **changes)
    holes = data["channels"].copy()
    holes[1234, 3] = np.nan
    with pytest.raises(BadInput, match="channels: row 1235, column 4: the value is NaN or infinite"):
        stream_moments(recording_of(data, channels=holes))
    np.save(tmp_path / "object.npy", np.array([[1, None]], dtype=object), allow_pickle=True)
    np.save(tmp_path / "short.npy", data["channels"])
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-8])
    (tmp_path / "noise.npy").write_bytes(b"\x93NUMPY\x01\x00garbage")
    for name in ("object", "short", "noise"):
        with pytest.raises(BadInput, match=rf"{name}\.npy"):
            open_rows(tmp_path / f"{name}.npy")
    with pytest.raises(ValueError, match="A chunk must have 12 features and 9 channels"):
        Moments.empty(P, Q, 1, 1).absorb(replace(recording_of(data).chunk(0, 5), channels=np.ones((5, 3))))
    with pytest.raises(ValueError, match="at least one sample"):
        Moments.empty(P, Q, 1, 1).by_fold(FeatureBasis.from_features(data["features"]))


def test_slices_follow_the_chunks_of_the_store() -> None:
    assert list(slices(1000, P + Q, 130)) == [(0, 260), (260, 520), (520, 780), (780, 1000)]
    assert next(slices(1000, P + Q, 5000)) == (0, 300)
    covered = [i for a, b in slices(1000, P + Q) for i in range(a, b)]
    assert covered == list(range(1000))


MEMORY = """
import resource, sys
import numpy as np
from brainworth.design.pilot.streaming import LargeRecording, stream_moments
folder, rows = sys.argv[1], int(sys.argv[2])
recording = LargeRecording.of(f"{folder}/x.npy", f"{folder}/r.npy", np.arange(rows) % 5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stream_moments(recording)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    """A file of 480 MB, read by a fresh process, adds less than 200 MB (chunks of 64 MB and moments of 7 MB)."""
    rows, width = 300_000, 200
    for name, columns in (("x", 10), ("r", width)):
        shape = (rows, columns)
        file = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.float64, shape)
        file[:] = np.linspace(0, 1, columns)
        file[::7] = 2.0
        file.flush()
        del file
    command = [sys.executable, "-c", MEMORY, str(tmp_path), str(rows)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 200_000, f"{grown} KiB"
    assert streaming.SAVE_SECONDS > 0


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_moments_of_one_session(offset: float) -> None:
    """Sessions together, centred on the mean of all: what a learner that knows no sessions works with."""
    data = pilot(offset=offset)
    basis = FeatureBasis.from_features(data["features"])
    found = stream_moments(recording_of(data)).pooled().by_fold(basis)
    source = in_memory(data | {"session": np.zeros(N, dtype=int)}, basis)
    for fold, part in enumerate(found):
        same_statistics(part.statistics, source.statistics(data["fold"] == fold))
        rows = source.channels[data["fold"] == fold]
        assert np.max(np.abs(part.channel_sum - rows.sum(axis=0))) <= TOLERANCE * np.abs(rows).sum()


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("stimuli", [8, 40])
def test_a_basis_of_rows_that_count_several_times(stimuli: int, *, standardise: bool) -> None:
    rng = np.random.default_rng(3)
    features, count = rng.standard_normal((stimuli, P)), rng.integers(1, 6, stimuli)
    found = FeatureBasis.from_features(features, standardise=standardise, count=count.astype(float))
    expected = FeatureBasis.from_features(np.repeat(features, count, axis=0), standardise=standardise)
    close(found.mean, expected.mean)
    close(found.scale, expected.scale)
    close(found.variance, expected.variance)
    close(found.rotation * np.sign(np.sum(found.rotation * expected.rotation, axis=0)), expected.rotation)
