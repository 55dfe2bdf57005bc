"""A read that fails inside of a compiled library ends in one paragraph that names the file.

HDF5, Arrow and zarr's codecs read by system calls of their own, which nothing in Python sees. A small library in front of theirs
(``LD_PRELOAD``) lets the first reads of one file pass and fails the others with EIO, as a network drive or a dying disk does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import good_recordings as made
from brainworth.design.posterior import archive
from brainworth.models.posterior.chains import Chains

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
static char target[4096];
static long calls, allowed = -1;
void fault_watch(const char *path, long first) { strncpy(target, path, sizeof target - 1); calls = 0; allowed = first; }
long fault_calls(void) { return calls; }
static int fails(int fd) {
    char link[64], name[4096];
    if (!target[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    if (n <= 0 || strncmp(name, target, strlen(target)) != 0) return 0;
    calls++;
    if (allowed < 0 || calls <= allowed) return 0;
    errno = EIO;
    return 1;
}
#define WRAP(NAME, PARAMETERS, ARGUMENTS) \
    ssize_t NAME PARAMETERS { \
        static ssize_t (*own) PARAMETERS; \
        if (!own) own = (ssize_t(*) PARAMETERS)dlsym(RTLD_NEXT, #NAME); \
        return fails(fd) ? -1 : own ARGUMENTS; \
    }
WRAP(read, (int fd, void *to, size_t n), (fd, to, n))
WRAP(pread, (int fd, void *to, size_t n, off_t at), (fd, to, n, at))
WRAP(pread64, (int fd, void *to, size_t n, off64_t at), (fd, to, n, at))
WRAP(readv, (int fd, const struct iovec *to, int n), (fd, to, n))
WRAP(preadv, (int fd, const struct iovec *to, int n, off_t at), (fd, to, n, at))
WRAP(preadv64, (int fd, const struct iovec *to, int n, off64_t at), (fd, to, n, at))
"""
DRIVER = """
import ctypes, io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from brainworth.design.cli import main

shim, (study, target) = ctypes.CDLL(sys.argv[1]), sys.argv[2:]

def check(allowed):
    said, told = io.StringIO(), io.StringIO()
    shim.fault_watch(target.encode(), ctypes.c_long(allowed))
    with redirect_stdout(said), redirect_stderr(told):
        code = main(["check", study])
    return code, told.getvalue()

found = [check(-1)]
total = shim.fault_calls()
found += [check(allowed) for allowed in sorted({0, 1, total // 2, total - 1})]
shim.fault_watch(b"", ctypes.c_long(-1))
print(json.dumps([total, found]))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("a C compiler on Linux puts the failing reads in front of the libraries")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(folder / "shim.so"), str(folder / "shim.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "shim.so"


def study(folder: Path, name: str, *, stream: bool) -> Path:
    """Write a study of 30 stimuli around a good recording."""
    reader = made.write_around(folder, name, made.good(name)) | ({"stream": True} if stream else {})
    ids = sorted({str(word) for word in made.table_of(folder, name, reader).keys["stimulus"]}, key=len)
    rows = "".join(f"{word},g{i // 5},{(7 * i) % 11 / 3:.3f},{(i * i) % 13 / 5:.3f}\n" for i, word in enumerate(ids))
    (folder / "stimuli.csv").write_text("stimulus,group,length,frequency\n" + rows)
    labels = "".join(f"{word},{(5 * i) % 17 / 4:.3f}\n" for i, word in enumerate(ids))
    (folder / "labels.csv").write_text("stimulus,label\n" + labels)
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in reader.items())
    (folder / "study.toml").write_text(
        '[stimuli]\ntable = "stimuli.csv"\n[task]\nlabels = "labels.csv"\ncost_per_label = 1.0\nmax_labels = 1000\n'
        f'[budget]\ntotal = 100\n[[modality]]\nname = "M"\nrecordings = "{name}"\ncost.per_sample = 0.5\n'
        f"[modality.reader]\n{keys}"
    )
    return folder / "study.toml"


WHOLE = ("eeg.h5", "eeg.nc", "eeg.zarr", "eeg.parquet", "eeg.npz", "eeg-epo.fif")


@pytest.mark.parametrize(
    ("name", "stream"), [*((name, False) for name in WHOLE), ("eeg.h5", True), ("eeg.parquet", True)]
)
def test_reads_of_compiled_libraries_fail(name: str, stream: bool, shim: Path, tmp_path: Path) -> None:
    file = study(tmp_path.resolve(), name, stream=stream)
    command = [sys.executable, "-c", DRIVER, str(shim), str(file), str(tmp_path.resolve() / name)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"LD_PRELOAD": str(shim)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    total, (good, *failed) = json.loads(done.stdout.splitlines()[-1])
    assert good == [0, ""], "the twin: without a fault the study is read"
    assert total >= 2
    for code, told in failed:
        assert code == 2, told
        assert told.count("\n") == 1
        assert Path(name).name in told


READ_ARCHIVE = """
import ctypes, json, sys
from pathlib import Path
from brainworth.design.posterior import archive

shim, path = ctypes.CDLL(sys.argv[1]), sys.argv[2]

def read(allowed):
    shim.fault_watch(path.encode(), ctypes.c_long(allowed))
    try:
        return "read" if archive.read_archive(Path(path), "mark") is not None else "not there"
    except archive.DamagedArchive:
        return "damaged"

found = [read(-1)]
total = shim.fault_calls()
found += [read(allowed) for allowed in sorted({0, 1, total // 3, total // 2, total - 1})]
shim.fault_watch(b"", ctypes.c_long(-1))
print(json.dumps([total, found]))
"""


def test_an_archive_that_cannot_be_read_is_damaged_so_that_the_fit_is_repeated(shim: Path, tmp_path: Path) -> None:
    sites = {"scale": np.zeros((2, 50)) + np.arange(50)}
    names = archive.AxisNames(("EEG",), ("EEG:a",), 1)
    data = archive.to_arviz(Chains(sites, {"diverging": np.zeros((2, 50))}, {}, {}), names, {"samples": np.ones(2)})
    data["posterior"].attrs.update({"fingerprint": "mark", "notes": "{}"})
    path = tmp_path.resolve() / "posterior.nc"
    archive.write_archive(data, path)
    command = [sys.executable, "-c", READ_ARCHIVE, str(shim), str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"LD_PRELOAD": str(shim)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    total, (good, *failed) = json.loads(done.stdout.splitlines()[-1])
    assert total >= 5
    assert good == "read"
    assert set(failed) == {"damaged"}
