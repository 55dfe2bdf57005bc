"""A kernel as the features of a study: from files and from memory, beside other features, for new stimuli; every error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import RBF

from brainworth.design.api import Study
from brainworth.design.common.errors import BadInput
from brainworth.design.posterior.fingerprint import fingerprint
from brainworth.design.posterior.notes import pilot_notes
from brainworth.models.pilot.summary import summarise

Matrix = NDArray[np.float64]

S = 60
CONFIG: dict[str, Any] = {
    "task": {"cost_per_label": 0.1},
    "modality": [{"name": "EEG", "cost": {"per_sample": 0.5}}],
    "budget": {"total": 100.0},
}
IDS = [f"s{i:02d}" for i in range(S)]


def inputs() -> Matrix:
    return np.random.default_rng(0).standard_normal((S + 10, 3))


def gram() -> Matrix:
    return np.asarray(RBF(2.0)(inputs()[:S]))


def labels() -> pd.DataFrame:
    rng, x = np.random.default_rng(1), inputs()[:S]
    return pd.DataFrame({"stimulus": IDS, "label": np.sin(x[:, 0]) + rng.standard_normal(S)})


def recordings() -> pd.DataFrame:
    rng, x = np.random.default_rng(2), inputs()[:S]
    channels = np.sin(x) @ rng.standard_normal((3, 4)) + rng.standard_normal((S, 4))
    return pd.DataFrame(channels, columns=list("abcd")).assign(subject="p1", stimulus=IDS)


def study(kernel: Any, stimuli: pd.DataFrame | None = None, more: Any = None) -> Study:
    config = CONFIG | (more or {})
    return Study.from_frames(
        stimuli=stimuli, labels=labels(), recordings={"EEG": recordings()}, config=config, kernel=kernel
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    labels().to_csv(tmp_path / "labels.csv", index=False)
    recordings().to_csv(tmp_path / "eeg.csv", index=False)
    np.savez(tmp_path / "gram.npz", stimulus=np.array(IDS), gram=gram(), group=np.repeat(np.arange(S // 4), 4))
    (tmp_path / "study.toml").write_text(
        '[stimuli]\nkernel = "gram.npz"\n[task]\nlabels = "labels.csv"\ncost_per_label = 0.1\n'
        '[[modality]]\nname = "EEG"\nrecordings = "eeg.csv"\n[modality.cost]\nper_sample = 0.5\n[budget]\ntotal = 100.0\n'
    )
    return tmp_path


def test_a_kernel_alone_is_a_studys_features(folder: Path) -> None:
    found = Study.from_file(folder / "study.toml")
    features = found.pilot.features
    centred = gram() - gram().mean(axis=0) - gram().mean(axis=1)[:, None] + gram().mean()
    assert np.abs(features @ features.T - centred).max() < 0.002 * np.trace(centred)
    assert found.names.features[:2] == ("kernel_1", "kernel_2")
    assert found.pilot.group.max() == S // 4 - 1
    assert found.pilot.kernel is not None
    assert np.all(found.pilot.kernel > 0.0)
    assert found.pilot.block is None
    assert "gram.npz" in found.digest
    assert found.remarks[0].startswith(f"gram.npz: {features.shape[1]} features hold 99.9% of the kernel's variance")
    assert "That is little" not in found.remarks[0]


def test_files_frames_and_pairs_agree_and_the_order_of_ids_does_not_count(folder: Path) -> None:
    file = Study.from_file(folder / "study.toml").pilot.features
    turn = np.random.default_rng(3).permutation(S)
    table = pd.DataFrame({"stimulus": IDS})
    frame = pd.DataFrame(gram()[np.ix_(turn, turn)], index=[IDS[i] for i in turn], columns=[IDS[i] for i in turn])
    for one in (
        study((IDS, gram())),
        study(frame, table),
        study(([IDS[i] for i in turn], gram()[np.ix_(turn, turn)]), table),
    ):
        np.testing.assert_allclose(one.pilot.features, file, atol=1e-9)


def test_more_stimuli_in_the_kernel_than_in_the_table_are_not_used() -> None:
    whole = np.asarray(RBF(2.0)(inputs()))
    found = study(([*IDS, *(f"t{i}" for i in range(10))], whole), pd.DataFrame({"stimulus": IDS}))
    np.testing.assert_allclose(found.pilot.features, study((IDS, gram())).pilot.features, atol=1e-9)


def test_new_stimuli_get_the_same_features() -> None:
    one, cross = study((IDS, gram())), np.asarray(RBF(2.0)(inputs()[S:], inputs()[:S]))
    np.testing.assert_allclose(one.kernel_features(gram()), one.pilot.features, atol=1e-8)
    new = one.kernel_features(cross)
    turn = np.random.default_rng(3).permutation(S)
    frame = pd.DataFrame(cross[:, turn], columns=[IDS[i] for i in turn])
    np.testing.assert_array_equal(one.kernel_features(frame), new)
    kept = one.with_pilot(one.pilot).kernel_features(cross)
    np.testing.assert_array_equal(kept, new)
    for wrong, said in (
        (cross[:, 1:], "60 columns"),
        (frame.iloc[:, 1:], "there is no column"),
        (cross * np.nan, "not finite"),
    ):
        with pytest.raises(BadInput, match=said):
            one.kernel_features(wrong)
    plain = pd.DataFrame(inputs()[:S], columns=list("xyz")).assign(stimulus=IDS)
    with pytest.raises(BadInput, match="the study has no kernel"):
        study(None, plain).kernel_features(cross)


def test_features_beside_a_kernel_are_another_block() -> None:
    plain = pd.DataFrame(inputs()[:S, :2] * np.array([1.0, 30.0]), columns=["pitch", "length"]).assign(stimulus=IDS)
    found = study((IDS, gram()), plain)
    assert found.names.features[:3] == ("pitch", "length", "kernel_1")
    assert found.names.blocks == ("other features", "kernel")
    assert found.pilot.block is not None
    assert found.pilot.kernel is not None
    np.testing.assert_array_equal(found.pilot.block == 0, np.isnan(found.pilot.kernel))
    named = study((IDS, gram()), plain, {"stimuli": {"block": [{"name": "sound", "columns": ["pitch"]}]}})
    assert named.names.blocks == ("sound", "other features", "kernel")
    taken = plain.rename(columns={"pitch": "kernel_1"})
    with pytest.raises(BadInput, match="'kernel_1' is taken by the kernel"):
        study((IDS, gram()), taken)


def test_another_kernel_is_another_posterior() -> None:
    one, other = study((IDS, gram())), study((IDS, np.asarray(RBF(1.9)(inputs()[:S]))))
    assert fingerprint(one, 0) != fingerprint(other, 0)


def test_the_pilot_weighs_a_kernel_as_it_is_and_believes_in_what_new_stimuli_show() -> None:
    """No word on standardised features; a narrow kernel's variances are not those of the pilot's stimuli, which the twin takes."""
    one = study((IDS, np.asarray(RBF(0.5)(inputs()[:S]))))
    assert "That is little" in one.remarks[0]
    found = summarise(one.pilot, ("EEG",), 2, 0)
    notes = pilot_notes(one, found)
    assert notes.standardised == 0.0
    assert notes.log_odds is None
    assert notes.feature_spread is None
    twin = summarise(replace(one.pilot, kernel=None), ("EEG",), 2, 0)
    half = found.variance.size // 2
    assert found.variance[half:].sum() < 0.7 * twin.variance[half:].sum()


def test_a_study_of_priors_alone_has_the_kernels_spectrum(folder: Path) -> None:
    text = (
        (folder / "study.toml")
        .read_text()
        .replace('labels = "labels.csv"\n', "")
        .replace('recordings = "eeg.csv"\n', "")
    )
    (folder / "study.toml").write_text(text)
    found = Study.from_file(folder / "study.toml")
    assert not found.has_pilot
    assert any("hold 99.9% of the kernel's variance" in remark for remark in found.remarks)


def _changed(place: tuple[int, int], value: float) -> Matrix:
    values = gram()
    values[place] = value
    return values


BROKEN: dict[str, tuple[Any, str]] = {
    "not square": ((IDS, gram()[:, :-1]), r"its shape is \(60, 59\), which is not square"),
    "not symmetric": ((IDS, _changed((2, 5), 9.0)), "not symmetric: 's02' with 's05' has 9"),
    "not definite": ((IDS, -gram()), "it is no kernel: it has the eigenvalue -"),
    "distances": ((IDS, np.sqrt(2.0 - 2.0 * gram() + 1e-12)), r"of distances d, e.g. exp\(-d"),
    "nan": ((IDS, _changed((1, 4), np.nan)), "the kernel of 's01' and 's04' is not finite"),
    "few ids": ((IDS[:-1], gram()), "there are 59 ids for 60 rows"),
    "double id": (([*IDS[:-1], "s00"], gram()), "the id 's00' is already entry 1"),
    "no id": (([*IDS[:-1], ""], gram()), "entry 60: the id is missing"),
    "constant": ((IDS, np.ones((S, S))), "the same for all pairs"),
    "text": ((IDS, gram().astype(str)), "It must hold real numbers"),
    "no pair": (gram(), "Give .ids, matrix., or a data frame"),
    "names differ": (
        pd.DataFrame(gram(), index=IDS, columns=IDS[::-1]),
        "the index and the columns of the data frame differ",
    ),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_is_no_kernel_is_refused_in_one_paragraph(name: str) -> None:
    kernel, said = BROKEN[name]
    with pytest.raises(BadInput, match=said) as caught:
        study(kernel)
    assert "\n" not in str(caught.value)


def test_stimuli_without_a_row_and_unknown_stimuli_are_named() -> None:
    table = pd.DataFrame({"stimulus": IDS})
    with pytest.raises(BadInput, match=r"the stimulus 's59' of stimuli is not in it.*needs a row for every stimulus"):
        study((IDS[:-1], gram()[:-1, :-1]), table)
    with pytest.raises(BadInput, match="the stimulus 's59' is not in kernel"):
        study((IDS[:-1], gram()[:-1, :-1]))
    with pytest.raises(BadInput, match="the stimuli are missing"):
        study(None)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"gram": gram()}, "array 'stimulus': the array is missing"),
        ({"stimulus": np.array(IDS), "kernel": gram()}, "array 'gram': the array is missing"),
        ({"stimulus": np.array(IDS, dtype=object), "gram": gram()}, "Python objects are never loaded"),
        ({"stimulus": np.array(IDS), "gram": gram(), "group": np.arange(3)}, "not every stimulus has a group"),
    ],
)
def test_files_of_another_form_are_refused(folder: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(folder / "gram.npz", **arrays)
    with pytest.raises(BadInput, match=said):
        Study.from_file(folder / "study.toml")


def test_a_damaged_or_other_file_is_refused(folder: Path) -> None:
    (folder / "gram.npz").write_bytes(b"no archive")
    with pytest.raises(BadInput, match="cannot be read as npz"):
        Study.from_file(folder / "study.toml")
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("gram.npz", "eeg.csv"))
    with pytest.raises(BadInput, match=r"the ending '.csv' is not npz"):
        Study.from_file(folder / "study.toml")
    (folder / "study.toml").write_text(text.replace("gram.npz", "../gram.npz"))
    with pytest.raises(BadInput, match="leaves the study's folder"):
        Study.from_file(folder / "study.toml")
