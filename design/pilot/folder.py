"""The folder of a study file: opens what the study names, lets nothing leave it, and remembers a hash of what was read.

In: a path as the study file gives it, or one found within a folder that it gives. Out: the path on disk, and SHA-256 sums by
relative path. Paths lead out of the folder (absolutely, by ``..`` or by a link) only if the one who runs the command allows it: a
study file that somebody sent cannot make this computer read its other files. Errors: such a path, one that does not exist or
cannot be read, a device or a pipe; each is a ``BadInput`` that names the field.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from brainworth.design.common.files import reading, sha256
from brainworth.design.common.hints import path_hint
from brainworth.design.common.messages import did_you_mean, problem, quoted
from brainworth.design.common.outside import outside_is_allowed
from brainworth.design.pilot.tables.columns import Wanted
from brainworth.design.pilot.tables.containers import CONTAINERS, read_container
from brainworth.design.pilot.tables.files import read_table
from brainworth.design.pilot.tables.tables import Table

MAX_FILES = 200_000
"""Most files of a folder (BIDS data set, zarr store) that are looked at."""
_RIGHT = "Give a path relative to the study file, within its folder."
_ALLOW = " If you trust this file, run with --allow-outside, or Study.from_file(..., allow_outside=True)."


class Folder:
    """The folder of a study file.

    Parameters
    ----------
    study : Path
        The study file.
    data_root : str, optional
        Folder that paths start from; that of the study file if not given.
    allow_outside : bool, optional
        Whether paths may lead out of it; as ``outside_allowed`` says if not given.

    Raises
    ------
    BadInput
        The data root is no folder, or outside and not allowed.
    """

    def __init__(self, study: Path, data_root: str | None = None, *, allow_outside: bool | None = None) -> None:
        self.base, self.file = study.parent, study.name
        self.outside = outside_is_allowed() if allow_outside is None else allow_outside
        with reading(study):
            self.digest = {study.name: sha256(study)}
        if data_root is not None:
            root = self._unchecked(data_root, "study > data_root")
            if not root.is_dir():
                raise problem(self.file, "study > data_root", f"{quoted(data_root)} is not a folder", _RIGHT)
            self.base = root

    def _unchecked(self, relative: str, field: str) -> Path:
        """Return a path as a field gives it, if it may be followed; it need not exist."""
        pure, windows = PurePosixPath(relative), PureWindowsPath(relative)
        leaves = pure.is_absolute() or windows.drive or windows.root or ".." in {*pure.parts, *windows.parts}
        if leaves and not self.outside:
            right = f"{_RIGHT}{path_hint(relative) or _ALLOW}"
            raise problem(self.file, field, f"the path {quoted(relative)} leaves the study's folder", right)
        try:
            path = (self.base / Path(relative).expanduser()).resolve()
            self._require_inside(path, relative, field)
        except (OSError, ValueError, RuntimeError):
            raise self._unreadable(relative, field) from None
        return path

    def place(self, relative: str, field: str) -> Path:
        """Return the file or folder that a field of the study names; nothing of it is read."""
        path, pure = self._unchecked(relative, field), PurePosixPath(relative)
        try:
            if not path.exists():
                near = did_you_mean(pure.name, (p.name for p in path.parent.iterdir()) if path.parent.is_dir() else ())
                right = f"{_RIGHT}{path_hint(relative) or near}"
                raise problem(self.file, field, f"the file {quoted(relative)} does not exist", right)
        except (OSError, ValueError, RuntimeError):
            raise self._unreadable(relative, field) from None
        return path

    def path(self, relative: str, field: str) -> Path:
        """Return the regular file that a field of the study names, and remember its hash."""
        path = self.place(relative, field)
        return self._file(path, relative, field)

    def found(self, path: Path, field: str) -> Path:
        """Return a file found within a folder of the study, and remember its hash; links may not lead outside."""
        relative = self.relative(path)
        try:
            resolved = path.resolve()
            self._require_inside(resolved, relative, field)
        except (OSError, ValueError, RuntimeError):
            raise self._unreadable(relative, field) from None
        self._file(resolved, relative, field)
        return path

    def tree(self, path: Path, field: str) -> Path:
        """Return a folder that is read as a whole (a zarr store), and remember one hash of all its files."""
        state = hashlib.sha256()
        for file in self.files(path, field):
            self._require_inside(file.resolve(), self.relative(file), field)
            state.update(f"{file.relative_to(path).as_posix()}\x1f{sha256(file)}\x1e".encode())
        self.digest[self.relative(path)] = state.hexdigest()
        return path

    def files(self, path: Path, field: str) -> Iterator[Path]:
        """Yield every file below a folder of the study, in the order of their names; no folder may be a link."""
        count = 0
        for parent, folders, names in os.walk(path, followlinks=self.outside):
            folders.sort()
            count += len(names) + len(folders)
            if count > MAX_FILES:
                right = f"At most {MAX_FILES} are looked at."
                raise problem(self.relative(path), "", f"the folder holds more than {MAX_FILES} files", right)
            for name in folders:
                if not self.outside and (Path(parent) / name).is_symlink():
                    self._require_inside((Path(parent) / name).resolve(), self.relative(Path(parent) / name), field)
                    wrong = f"the folder {quoted(self.relative(Path(parent) / name))} is a link"
                    raise problem(
                        self.file, field, wrong, f"Links to folders are not followed; copy the folder.{_ALLOW}"
                    )
            for name in sorted(names):
                if self._is_device(Path(parent) / name):
                    wrong = f"{quoted(self.relative(Path(parent) / name))} is a device or a pipe"
                    raise problem(self.file, field, wrong, "Only files with data are read; take it out of the folder.")
                yield Path(parent) / name

    def relative(self, path: Path) -> str:
        """Return how messages and results call a file: its path from the study's folder."""
        for base in (self.base, self.base.resolve()):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return Path(os.path.relpath(path, self.base.resolve())).as_posix() if self.outside else path.name

    def table(self, relative: str, field: str, wanted: Wanted) -> Table:
        """Return the table in a file (or zarr store) that a field of the study names."""
        with reading(relative):
            return self._table(relative, field, wanted)

    def _table(self, relative: str, field: str, wanted: Wanted) -> Table:
        place = self.place(relative, field)
        if place.is_dir() and relative.lower().rstrip("/").endswith(".zarr"):
            return read_container(self.tree(place, field), relative, wanted)
        path = self.path(relative, field)
        if relative.lower().endswith(CONTAINERS):
            return read_container(path, relative, wanted)
        return read_table(path, relative, wanted)

    def _require_inside(self, path: Path, relative: str, field: str) -> None:
        if not self.outside and not path.is_relative_to(self.base.resolve()):
            wrong = f"the path {quoted(relative)} leads out of the study's folder by a link"
            raise problem(self.file, field, wrong, _RIGHT + _ALLOW)

    @staticmethod
    def _is_device(path: Path) -> bool:
        """Return whether reading a path might never end: it is neither a file, nor a folder, nor a link to nothing."""
        return path.exists() and not path.is_file() and not path.is_dir()

    def _unreadable(self, relative: str, field: str) -> Exception:
        right = "Check its path and permissions."
        return problem(self.file, field, f"the file {quoted(relative)} cannot be read", right)

    def _file(self, path: Path, relative: str, field: str) -> Path:
        try:
            if not path.is_file():
                raise problem(self.file, field, f"{quoted(relative)} is not a regular file", _RIGHT)
            self.digest[PurePosixPath(relative).as_posix()] = sha256(path)
        except (OSError, ValueError, RuntimeError):
            raise self._unreadable(relative, field) from None
        return path
