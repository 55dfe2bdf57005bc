"""A plan that is killed again and again: whatever is there is whole, and the run that is left alone finishes it.

Everything in the study that has a name has one that tries to be markup; the finished report must show it as text.
"""

from __future__ import annotations

import html
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from brainworth.design.common.files import HERE
from brainworth.design.study_file.scaffold import write_example

LONGEST = 600.0
"""Seconds after which a run is given up, on a busy machine."""


def start(study: Path, out: Path) -> subprocess.Popen[str]:
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job does not
    program = f"{listens}; import sys; from brainworth.design.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "plan", str(study), "--out", str(out), "--force", "--rehearsals", "4"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def stopped(process: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str]:
    process.send_signal(how)
    _, told = process.communicate(timeout=LONGEST)
    return process.returncode, told


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LONGEST
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def whole(out: Path) -> None:
    """Every file that has its name has all of its content."""
    for name in ("plan.json", "details.json"):
        if (out / name).exists():
            json.loads((out / name).read_text())
    if (out / "report.html").exists():
        assert (out / "report.html").read_text().rstrip().endswith("</html>")
    if (out / "posterior.nc").exists():
        assert (out / "posterior.nc").read_bytes()[:4] == b"\x89HDF"


NASTY = "</script><img src=x onerror=alert(1)><b>{{ 7*7 }}"


MODALITY = "EEG &lt;b&gt; {{ 7+7 }} 'x'"
"""The reader refuses a modality's name with angle brackets."""


def _nasty(path: Path, columns: tuple[str, ...]) -> None:
    """Give ids and features of a table names that try to be markup."""
    frame = pd.read_csv(path, dtype=dict.fromkeys(columns, str))
    for name in columns:
        frame[name] += NASTY
    keys = ("stimulus", "group", "subject", "label")
    frame.rename(columns=lambda name: name if name in keys else name + NASTY).to_csv(path, index=False)


def streamed_study(folder: Path) -> Path:
    """Return the example study with its recordings as a matrix that stays on disk, all of its names hostile."""
    write_example(folder)
    for table, columns in (
        ("stimuli", ("stimulus", "group")),
        ("labels", ("stimulus",)),
        ("eeg", ("subject", "stimulus")),
    ):
        _nasty(folder / f"{table}.csv", columns)
    frame = pd.read_csv(folder / "eeg.csv")
    frame[["subject", "stimulus"]].to_csv(folder / "ids.csv", index=False)
    channels = frame.drop(columns=["subject", "stimulus"], errors="ignore").select_dtypes("number")
    np.save(folder / "eeg.npy", channels.to_numpy())
    text = (folder / "study.toml").read_text().replace('"eeg.csv"', '"eeg.npy"')
    text = text.replace('"Example: EEG pilot"', f'"{NASTY}"').replace('name = "EEG"', f'name = "{MODALITY}"')
    reader = '[modality.reader]\nids = "ids.csv"\nstream = true\n[modality.cost]'
    (folder / "study.toml").write_text(text.replace("[modality.cost]", reader, 1))
    return folder / "study.toml"


def test_a_killed_plan_is_resumed(tmp_path: Path) -> None:
    """SIGKILL while it starts, Ctrl-C while it fits, SIGKILL once the posterior is there; each at a random moment."""
    moment = random.Random()
    study, out = streamed_study(tmp_path / "study"), tmp_path / "plan"
    process = start(study, out)
    time.sleep(moment.uniform(0.1, 6.0))
    assert stopped(process, signal.SIGKILL)[0] == -signal.SIGKILL
    whole(out)
    shutil.rmtree(
        out / "unfinished", ignore_errors=True
    )  # its return says that the next run works, and imports no longer
    process = start(study, out)
    wait_for(out / "unfinished", process)  # the passes over the recordings are done or under way
    time.sleep(moment.uniform(0.0, 1.5))
    code, told = stopped(process, signal.SIGINT)
    assert (code, told) == (130, "Interrupted.\n")
    whole(out)
    assert list((out / "unfinished").iterdir()), "what was done is kept"
    process = start(study, out)
    wait_for(out / "posterior.nc", process)
    time.sleep(moment.uniform(0.0, 3.0))
    assert stopped(process, signal.SIGKILL)[0] in {-signal.SIGKILL, 0}
    whole(out)
    (out / f".plan.json.{HERE}-{process.pid}-{os.urandom(4).hex()}.tmp").write_text("half")
    process = start(study, out)
    _, told = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, told
    whole(out)
    found = json.loads((out / "plan.json").read_text())
    assert "reused" in found["provenance"]["seconds"]
    assert not list(out.glob(".*.tmp"))
    assert not (out / "unfinished").exists()
    page = (out / "report.html").read_text()
    assert html.escape(NASTY) in page, "the title"
    assert "{{ 7*7 }}" in page
    assert NASTY not in page
    assert not re.search(r"<img|onerror=alert\(1\)>", page)
    assert page.count("<script") == 2, "the page's own: its data and its program"
    assert not [svg for svg in (out / "figures").glob("*.svg") if "<img" in svg.read_text()]
