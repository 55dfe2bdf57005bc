"""Feature helpers against direct computation, and their documented examples."""

from __future__ import annotations

import doctest
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brainworth as bw
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot.features import features, lexicon

RNG = np.random.default_rng(0)


def table(rows: int = 30, columns: int = 3) -> pd.DataFrame:
    frame = pd.DataFrame(RNG.standard_normal((rows, columns)) * 3 + 5, columns=[f"f{i}" for i in range(columns)])
    frame.insert(0, "group", np.repeat(["a", "b", "c"], rows // 3))
    frame.insert(0, "stimulus", np.arange(rows))
    return frame


@pytest.mark.parametrize("module", [features, lexicon])
def test_documented_examples(module: object) -> None:
    result = doctest.testmod(module)  # pyright: ignore[reportArgumentType]
    assert result.attempted > 5
    assert result.failed == 0


def test_exported() -> None:
    assert bw.features is features
    assert callable(bw.masked_recordings)


@pytest.mark.parametrize("delays", [[0], [1, 2, 3], [-2, 0, 4], [12]])
def test_delays_never_cross_the_border_of_a_run(delays: list[int]) -> None:
    frame = table()
    frame = frame.iloc[RNG.permutation(30)].reset_index(drop=True)  # runs may be interleaved in the table
    made = features.delayed(frame, delays)
    for run in "abc":
        rows = np.flatnonzero(frame["group"] == run)
        for name in ("f0", "f1", "f2"):
            own = frame[name].to_numpy()[rows]
            for delay in delays:
                expected = [own[t - delay] if 0 <= t - delay < len(own) else 0.0 for t in range(len(own))]
                np.testing.assert_array_equal(made[f"{name} {delay:+d}"].to_numpy()[rows], expected)
    assert made["stimulus"].tolist() == frame["stimulus"].tolist()
    whole = features.delayed(frame.drop(columns="group"), [1], run=None)
    np.testing.assert_array_equal(whole["f0 +1"].to_numpy()[1:], frame["f0"].to_numpy()[:-1])


def test_another_column_tells_runs_apart() -> None:
    frame = table().rename(columns={"group": "run"})
    made = features.delayed(frame, [1], run="run")
    assert list(made.columns) == ["stimulus", "run", "f0 +1", "f1 +1", "f2 +1"]
    assert made["f0 +1"].to_numpy()[[0, 10, 20]].tolist() == [0.0, 0.0, 0.0]


def test_standardised_within_runs() -> None:
    frame = table()
    frame.loc[frame["group"] == "b", "f1"] = 7.0
    made = features.standardised(frame)
    for run in "abc":
        part = made.loc[made["group"] == run, ["f0", "f1", "f2"]].to_numpy()
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(part.std(axis=0), [1, run != "b", 1], atol=1e-12)


def test_principal_components() -> None:
    values = RNG.standard_normal((200, 3)) @ np.diag([5.0, 2.0, 0.5]) @ np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    frame = pd.DataFrame(values, columns=["a", "b", "c"]).assign(stimulus=np.arange(200))
    centred = values - values.mean(axis=0)
    eigenvalues = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    share = eigenvalues / eigenvalues.sum()
    for wanted in (0.5, 0.9, 0.99, 1.0):
        made, kept = features.principal_components(frame, wanted)
        count = int(np.searchsorted(np.cumsum(share), wanted - 1e-12)) + 1
        assert len(kept) == min(count, 3) == made.shape[1] - 1
        np.testing.assert_allclose(kept, share[: len(kept)], rtol=1e-8)
    scores = made.drop(columns="stimulus").to_numpy()
    np.testing.assert_allclose(scores @ scores.T, centred @ centred.T, atol=1e-8)
    equal, _ = features.principal_components(frame, 1.0, standardise=True)
    np.testing.assert_allclose(equal.drop(columns="stimulus").to_numpy().var(axis=0).sum(), 3.0)


def test_words_are_joined_and_the_missing_reported() -> None:
    words = ["The", "dog", "barks.", "gnorf", "gnorf", "zzz"]
    stimuli = pd.DataFrame({"stimulus": range(6), "group": "s1", "word": words, "length": [3, 3, 5, 5, 5, 3]})
    vectors = {"the": [1.0, 0.0], "dog": [0.0, 1.0], "barks": [2.0, 2.0]}
    joined = bw.features.join_words(stimuli, vectors)
    assert joined.stimuli.columns.tolist() == ["stimulus", "group", "length", "vector_1", "vector_2"]
    assert joined.stimuli["stimulus"].tolist() == [0, 1, 2]
    assert joined.stimuli["vector_1"].tolist() == [1.0, 0.0, 2.0]
    assert joined.missing == {"gnorf": 2, "zzz": 1}
    assert joined.report == "3 stimuli have one of 2 words without features ('gnorf', 'zzz'); they were left out."
    filled = bw.features.join_words(stimuli, vectors, fill=True)
    assert filled.stimuli["vector_2"].tolist() == [0.0, 1.0, 2.0, 1.0, 1.0, 1.0]
    exact = bw.features.join_words(stimuli, vectors, lower=False)
    assert exact.stimuli["stimulus"].tolist() == [1]
    norms = pd.DataFrame({"word": ["dog", "dog", "the"], "frequency": [4.0, 9.0, np.nan]})
    assert bw.features.join_words(stimuli, norms).stimuli["frequency"].tolist() == [4.0]


def test_vectors_in_files(tmp_path: Path) -> None:
    text = "3 2\nthe 0.1 0.2\ndog 0.3 0.4\nthe 9 9\ncat 0.5 -1e-2\n"
    (tmp_path / "v.vec").write_text(text)
    np.savez(
        tmp_path / "v.npz",
        words=np.array(["the", "dog", "cat"]),
        vectors=np.array([[0.1, 0.2], [0.3, 0.4], [0.5, -0.01]]),
    )
    for name in ("v.vec", "v.npz"):
        every = features.read_vectors(tmp_path / name)
        assert {word: vector.tolist() for word, vector in every.items()} == {
            "the": [0.1, 0.2],
            "dog": [0.3, 0.4],
            "cat": [0.5, -0.01],
        }
        assert set(features.read_vectors(tmp_path / name, ["Dog,", "mouse"])) == {"dog"}
    (tmp_path / "ragged.txt").write_text("a 1 2\nb 1\n")
    (tmp_path / "words.txt").write_text("a b c\n")
    np.savez(tmp_path / "pickled.npz", words=np.array(["a", None]), vectors=np.ones((2, 2)))
    for name in ("ragged.txt", "words.txt", "pickled.npz", "absent.npz"):
        with pytest.raises(BadInput, match=name):
            features.read_vectors(tmp_path / name)


@pytest.mark.skipif("BRAINWORTH_DATA" not in os.environ, reason="BRAINWORTH_DATA names no folder with glove50_subset")
def test_real_vectors_know_real_words() -> None:
    path = next((Path(os.environ["BRAINWORTH_DATA"]) / "glove50_subset").glob("*.npz"))
    words = ["She", "he", "door,", "qwrtzx"]
    vectors = features.read_vectors(path, words)
    joined = features.join_words(pd.DataFrame({"stimulus": range(4), "word": words}), vectors)
    assert joined.stimuli.shape == (3, 51)
    assert list(joined.missing) == ["qwrtzx"]
    she, he, door = joined.stimuli.iloc[:, 1:].to_numpy()
    assert np.corrcoef(she, he)[0, 1] > np.corrcoef(she, door)[0, 1]


def test_features_of_volumes() -> None:
    pytest.importorskip("nilearn", reason="the extra 'fmri' is not installed")
    from nilearn.glm.first_level import spm_hrf

    events = pd.DataFrame(
        {"run": ["x", "x", "y"], "onset": [0.0, 20.0, 4.0], "duration": 0.0, "surprisal": [1.0, 2.0, 5.0]}
    )
    made = features.volume_features(events, 2.0, {"x": 30, "y": 20}, "spm")
    assert made["stimulus"].tolist()[:2] == ["x:1", "x:2"]
    assert made["group"].tolist() == ["x"] * 30 + ["y"] * 20
    fine = spm_hrf(2.0, oversampling=50)
    y = made["surprisal"].to_numpy()[30:]
    response = np.interp(2.0 * np.arange(20) - 4.0, 0.04 * np.arange(fine.size), fine, left=0.0)
    assert np.corrcoef(y, response)[0, 1] > 0.99
    x = made["surprisal"].to_numpy()[:30]
    early = features.volume_features(events.iloc[:1].assign(run="x"), 2.0, {"x": 30, "y": 20}, "spm")
    late = early["surprisal"].to_numpy()[:20]
    np.testing.assert_allclose(x[10:], early["surprisal"].to_numpy()[10:30] + 2 * late, atol=1e-10)
    assert not early["surprisal"].to_numpy()[30:].any(), "a run without events"


def test_what_can_be_wrong() -> None:
    frame = table()
    text = frame.assign(word="x")
    gap = frame.assign(f0=np.where(frame["stimulus"] == 4, np.nan, frame["f0"]))
    for call, words in (
        (lambda: features.delayed(frame, []), "delays: got \\[\\]"),
        (lambda: features.delayed(frame, [1, 1]), "different whole numbers"),
        (
            lambda: features.delayed(frame, [1], run="gruop"),
            "column 'gruop': the column is missing.*Did you mean 'group'",
        ),
        (lambda: features.standardised(text), "column 'word': it does not hold numbers"),
        (lambda: features.standardised(gap), "row 5, column 'f0': the cell is empty"),
        (lambda: features.principal_components(frame, 1.5), "variance: got 1.5"),
        (lambda: features.principal_components(pd.DataFrame({"stimulus": [1, 2], "f": 1.0})), "no feature varies"),
        (lambda: features.principal_components(pd.DataFrame({"stimulus": [1, 2]})), "holds no feature"),
        (lambda: features.join_words(frame, {"a": [1.0]}), "column 'word': the column is missing"),
        (lambda: features.join_words(text, {"a": [1.0]}), "no word has features"),
        (lambda: features.join_words(text, {"a": [1.0], "x": [1.0, 2.0]}), "the lengths \\[1, 2\\]"),
        (lambda: features.join_words(text, pd.DataFrame({"word": ["x"], "f0": [1.0]})), "a column of this name too"),
        (lambda: features.volume_features(frame, 2.0, {"x": 3}), "events: column 'onset': the column is missing"),
    ):
        with pytest.raises(BadInput, match=words):
            call()
