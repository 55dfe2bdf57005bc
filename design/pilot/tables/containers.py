"""Containers of arrays on disk: HDF5, netCDF (4), zarr.

In: a path, the group within it, and which columns are wanted. Out: ``Table`` (see ``tables_arrays``). Errors: a damaged file, a
group that is not there, arrays that are too large, links and codecs that are not followed; each is a ``BadInput``. Sizes are read
before the arrays, no pickle is ever loaded, and nothing outside of the file is opened.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean, one_line, problem, quoted, quoted_list
from brainworth.design.common.optional import need
from brainworth.design.pilot.tables.arrays import Named, arrays_table, check_bytes, labelled_table
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.probe import check_ends
from brainworth.design.pilot.tables.tables import Table

CONTAINERS = (".h5", ".hdf5", ".nc", ".zarr")
_CODECS = {
    *("bytes", "transpose", "crc32c", "sharding_indexed", "vlen-utf8", "vlen-bytes", "blosc", "zstd", "gzip", "zlib"),
    *("bz2", "lzma", "lz4", "shuffle", "delta", "fixedscaleoffset", "quantize", "astype", "bitround"),
    *("numcodecs.shuffle", "numcodecs.delta", "numcodecs.zlib", "numcodecs.bz2", "numcodecs.lzma", "numcodecs.lz4"),
    *("numcodecs.blosc", "numcodecs.zstd", "numcodecs.gzip", "numcodecs.bitround", "numcodecs.quantize"),
    *("numcodecs.fixedscaleoffset", "numcodecs.astype", "crc32", "adler32", "fletcher32"),
}
"""Codecs of zarr that only compress or reorder numbers and text."""
_MAX_JSON = 2**20
_ZARR_METADATA = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")
_BLOSC = struct.Struct("<4B3I")
"""Header of a chunk: versions, flags, size of an element; bytes unpacked, of a block, packed with this header."""


def read_container(path: Path, source: str, wanted: Wanted, node: str | None = None) -> Table:
    """Return the table in a container of arrays.

    Parameters
    ----------
    path : Path
        File (HDF5, netCDF) or folder (zarr); its ending says which.
    source : str
        How messages call it.
    wanted : Wanted
        Columns it must and may have.
    node : str, optional
        Group within the container; default its root.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    suffix = path.suffix.lower()
    parts = [part for part in (node or "").split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise problem(source, "reader > node", f"got {quoted(node)}", "Name a group within the file, e.g. 'pilot/eeg'.")
    try:
        if suffix == ".zarr":
            return arrays_table(_zarr(path, source, parts), source, wanted)
        check_bytes(path.stat().st_size, source)
        check_ends(path, source)
        if suffix == ".nc":
            return _netcdf(path, source, wanted, parts)
        return arrays_table(_hdf5(path, source, parts), source, wanted)
    except BadInput:
        raise
    except Exception as error:  # damaged files make h5py, xarray, zarr and their codecs raise a dozen types of errors
        right = f"Save it again as plain {suffix[1:]}, numbers and text only."
        wrong = f"the file cannot be read as {suffix[1:]} ({one_line(error, 200).rstrip('.')})"
        raise problem(source, "", wrong, right) from None


def no_group(source: str, name: str, known: Mapping[str, object] | list[str]) -> BadInput:
    """Return the error for a group that does not exist."""
    right = f"There are {quoted_list(known)}.{did_you_mean(name, known)}"
    return problem(source, "reader > node", f"there is no group {quoted(name)}", right)


def hdf5_group(file: Any, source: str, parts: list[str]) -> Any:
    """Return the group of a file; only hard links are followed."""
    import h5py

    group = file
    for part in parts:
        if part not in set(group):
            raise no_group(source, part, list(group))
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise problem(source, "reader > node", f"{quoted(part)} is a link", "Links are not followed.")
        if not isinstance(group[part], h5py.Group):
            raise no_group(source, part, list(group))
        group = group[part]
    return group


def hdf5_datasets(group: Any, source: str, *, limited: bool = True) -> dict[str, Any]:
    """Return the datasets of a group, each within the file and of plain type, and small enough if ``limited``."""
    import h5py

    found: dict[str, Any] = {}
    size = 0
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise problem(source, f"array {quoted(name)}", "it is a link", "Links are not followed; copy the array.")
        item = group[name]
        if not isinstance(item, h5py.Dataset):
            continue
        text = h5py.check_string_dtype(item.dtype) is not None
        if item.external or item.is_virtual or not (text or item.dtype.kind in "fiub"):
            what = "keeps its values in another file" if item.external or item.is_virtual else f"is of {item.dtype}"
            raise problem(source, f"array {quoted(name)}", f"it {what}", "Store plain numbers or text in the file.")
        size += int(item.size or 0) * max(int(item.dtype.itemsize), 8)
        if limited:
            check_bytes(size, source)
        found[str(name)] = item
    return found


def hdf5_is_text(item: Any) -> bool:
    """Return whether a dataset holds text."""
    import h5py

    return h5py.check_string_dtype(item.dtype) is not None


def hdf5_values(item: Any) -> np.ndarray:
    """Return all values of a dataset, numbers or text."""
    return np.asarray(item.asstr()[()] if hdf5_is_text(item) else item[()])


def _hdf5(path: Path, source: str, parts: list[str]) -> dict[str, Named]:
    import h5py

    with h5py.File(path, "r") as file:
        datasets = hdf5_datasets(hdf5_group(file, source, parts), source)
        return {name: Named(hdf5_values(item)) for name, item in datasets.items()}


def open_netcdf(path: Path, parts: list[str]) -> Any:
    """Return a group of a netCDF file as an ``xarray.Dataset`` that is not yet loaded; times stay numbers."""
    import xarray

    options: dict[str, Any] = {"engine": "h5netcdf", "decode_times": False, "decode_timedelta": False, "cache": False}
    return xarray.open_dataset(path, group="/".join(parts) or None, **options)


def _netcdf(path: Path, source: str, wanted: Wanted, parts: list[str]) -> Table:
    import h5py

    with h5py.File(path, "r") as file:
        hdf5_datasets(hdf5_group(file, source, parts), source)
    with open_netcdf(path, parts) as dataset:
        return labelled_table(dataset.load(), source, wanted)


def open_zarr(path: Path, source: str) -> Any:
    """Return the root of a zarr store, which is only read."""
    zarr = need("zarr", "zarr", "zarr arrays", source)
    return zarr.open_group(store=zarr.storage.LocalStore(path, read_only=True), mode="r", use_consolidated=False)


def zarr_arrays(path: Path, source: str, parts: list[str]) -> dict[str, Any]:
    """Return the arrays of a group of a zarr store, by name, after the codecs of the whole store were checked."""
    need("zarr", "zarr", "zarr arrays", source)  # before anything is said of the store
    check_zarr(path, source)
    check_ends(path, source)
    group = open_zarr(path, source)
    for part in parts:
        if part not in set(group.group_keys()):
            raise no_group(source, part, sorted(group.group_keys()))
        group = group[part]
    return {str(name): array for name, array in group.arrays()}


def zarr_dimensions(array: Any) -> tuple[str, ...] | None:
    """Return the names of an array's dimensions, if all have one, in either version of the format."""
    dims = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return tuple(str(d) for d in dims) if dims and all(d is not None for d in dims) else None


def _zarr(path: Path, source: str, parts: list[str]) -> dict[str, Named]:
    found = zarr_arrays(path, source, parts)
    check_bytes(sum(int(a.size) * max(int(getattr(a.dtype, "itemsize", 8)), 8) for a in found.values()), source)
    return {name: Named(np.asarray(array[...]), zarr_dimensions(array)) for name, array in found.items()}


def _codecs(value: object) -> Iterator[str]:
    """Yield the name of every codec in the metadata of an array, whatever its version of the format."""
    if isinstance(value, dict):
        entry = cast("dict[str, Any]", value)
        for key in ("compressor", "filters", "codecs", "index_codecs"):
            inner = entry.get(key)
            for codec in inner if isinstance(inner, list) else [inner]:
                if isinstance(codec, dict):
                    named = cast("dict[str, Any]", codec)
                    yield str(named.get("id", named.get("name")))
                    yield from _codecs(named.get("configuration"))
                elif codec is not None:
                    yield str(codec)


def check_zarr(path: Path, source: str) -> None:
    """Raise ``BadInput`` for a codec that could run code: pickled objects are never loaded."""
    for name in (".zarray", "zarr.json"):
        for file in sorted(path.rglob(name)):
            if file.stat().st_size > _MAX_JSON:
                raise problem(source, file.name, f"it is larger than {_MAX_JSON} bytes", "Write the store again.")
            metadata = json.loads(file.read_bytes())
            place = file.parent.relative_to(path).as_posix()
            strange = sorted({c for c in _codecs(metadata) if c.lower() not in _CODECS})
            if strange or metadata.get("storage_transformers"):
                right = "Compress by blosc, zstd or gzip, and store plain numbers or text."
                wrong = f"its codec {quoted_list(strange or ['storage_transformers'])} is not used: it could run code"
                raise problem(source, f"array {quoted(place)}", wrong, right)
            if _by_blosc(metadata):
                _check_blosc(file.parent, source, place)


def _by_blosc(metadata: Mapping[str, Any]) -> bool:
    """Return whether the chunks of an array, as they are stored, were written by blosc."""
    codecs = cast("list[Any]", metadata.get("codecs") or [])
    last = codecs[-1] if codecs else metadata.get("compressor")
    named = cast("dict[str, Any]", last) if isinstance(last, dict) else {}
    return "blosc" in str(named.get("id", named.get("name")))


def _check_blosc(folder: Path, source: str, place: str) -> None:
    """Raise ``BadInput`` for a chunk that is shorter than its header says: blosc would read beyond its end, and die."""
    for chunk in sorted(folder.rglob("*")):
        if chunk.name in _ZARR_METADATA or not chunk.is_file():
            continue
        with chunk.open("rb") as file:
            header = file.read(_BLOSC.size)
        if len(header) < _BLOSC.size or _BLOSC.unpack(header)[-1] > chunk.stat().st_size:
            wrong = f"its chunk {quoted(chunk.relative_to(folder).as_posix())} is shorter than its header says"
            raise problem(source, f"array {quoted(place)}", wrong, "The store is damaged; write it again.")
