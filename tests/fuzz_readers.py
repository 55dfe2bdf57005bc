"""Coverage-guided fuzzing of every reader: bytes that lead to new lines of code are kept and changed further.

    uv run --group fuzz --all-extras python tests/fuzz_readers.py --seconds 600
    uv run --group fuzz --all-extras python tests/fuzz_readers.py --format eeg.npz --seconds 60 --keep findings

In: a number of seconds, formats; starts from those of ``support/good_recordings.py``, and from a good study with its tables. Out:
an exit code of 0, or the traceback and, in the folder --keep, the input that broke a reader. A reader may end in a table or in a
``BadInput`` of one paragraph; any other exception, a process that dies, more than 2 GiB of memory or a read of more than 20
seconds is a finding. Each format runs in a process of its own, one after the other. Errors: atheris is not installed (dependency
group ``fuzz``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "support"))
STUDY_FILES: tuple[str, ...] = ("study.toml", "stimuli.csv", "labels.csv", "eeg.csv")
READ_SECONDS, MEMORY_MB = 20, 2048


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="time for all formats together")
    parser.add_argument("--format", action="append", help="a file name, e.g. eeg.npz; may be repeated; default all")
    parser.add_argument("--keep", type=Path, default=Path("out/findings"), help="folder of inputs that broke a reader")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def targets() -> dict[str, list[str]]:
    """Return the files of every format that are changed, one at a time, by the name of the format."""
    import good_recordings as made

    found = {name: sorted(made.good(name)) for name in made.WRITERS}
    found["bold.nii"].append("events.tsv")
    found["study"] = list(STUDY_FILES)
    return found


def contents(name: str) -> dict[str, bytes]:
    """Return the good files of a format."""
    import good_recordings as made
    from brainworth.design.study_file.scaffold import example_files

    if name == "study":
        return dict(example_files())
    return made.good(name) | ({"events.tsv": made.EVENTS.encode()} if name == "bold.nii" else {})


def reader_of(name: str) -> Callable[[bytes], None]:
    """Return what reads one input: its first byte chooses the file that is replaced, its second one whether values are streamed."""
    import good_recordings as made
    from brainworth.design.api import Study
    from brainworth.design.common.errors import BadInput

    paths, good = targets()[name], contents(name)

    def read(data: bytes) -> None:
        if len(data) < 2:
            return
        files = good | {paths[data[0] % len(paths)]: data[2:]}
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if name != "study":
                reader: dict[str, Any] = made.write_around(folder, name, files)
                made.read(folder, name, reader | ({"stream": bool(data[1] % 2)} if name in made.STREAMS else {}))
                return
            for path, content in files.items():
                (folder / path).write_bytes(content)
            try:
                Study.from_file(folder / "study.toml")
            except BadInput as error:
                made.one_paragraph(error)

    return read


def fuzz(name: str, seconds: int, keep: Path) -> None:
    """Fuzz one format in this process, which ends with it."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["brainworth.design", "nibabel", "zarr"]):
        read = reader_of(name)
    good, seeds = contents(name), Path(tempfile.mkdtemp())
    for index, path in enumerate(targets()[name]):
        for stream in (0, 1):
            (seeds / f"{index}-{stream}").write_bytes(bytes([index, stream]) + good[path])
    longest = 4 * max(len(content) for content in good.values())
    options = [f"-max_total_time={seconds}", f"-timeout={READ_SECONDS}", f"-rss_limit_mb={MEMORY_MB}"]
    options += [f"-max_len={longest}", f"-artifact_prefix={keep}/{name}-", "-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(seeds)], read)
    atheris.Fuzz()


def main() -> int:
    """Fuzz every format for its share of the time; return 0 if none broke."""
    given = arguments()
    given.keep.mkdir(parents=True, exist_ok=True)
    if given.one:
        fuzz(given.one, given.seconds, given.keep)
        return 0
    names = given.format or sorted(targets())
    share, broken = max(given.seconds // len(names), 1), 0
    for name in names:
        started = time.monotonic()
        command = [sys.executable, __file__, "--one", name, "--seconds", str(share), "--keep", str(given.keep)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        runs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        broken += done.returncode != 0
        told = f"{runs[0] if runs else '?'} reads in {time.monotonic() - started:.0f} s"
        print(f"{name:<14} {told}: {'ok' if done.returncode == 0 else f'exit code {done.returncode}'}", flush=True)
        if done.returncode != 0:
            print(done.stderr[-6000:], flush=True)
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
