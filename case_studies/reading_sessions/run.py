"""Live through a reading study session by session: a plan, a preregistration, and an update after every 40 sentences.

Run it with ``uv run python case_studies/reading_sessions/run.py``. In: the data sets ``frank2015_eeg_reading`` and
``glove50_subset`` (fetched, or copied from the folder that BRAINWORTH_DATA names), in the order of their sentences. Out: a folder
with the studies, the plan, its preregistration, a folder for each look with its report, ``looks.json``, ``looks.svg`` and
``results.md``; with ``--keep``, ``results/`` beside this file and the tables of its README.
"""

# pyright: reportMissingImports=false
# (a shared module lies in the folder of another case study)

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import brainworth as bw
from brainworth.design.common.records import plain
from brainworth.design.common.runtime import use_compilation_cache
from brainworth.design.decision.preregistration import Pledge, preregister
from brainworth.design.decision.records.update import Update
from brainworth.design.pilot.datasets import fetch

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "reading_eeg")]

from kept import command_line, finish, interval, rows
from reading import Corpus, load, write_study

HERE = Path(__file__).parent
LOOKS = (40, 80, 120, 160, 205)
"""Sentences at the plan and at each look; the corpus holds 205."""
OTHER = {
    "max_labels = 900": "max_labels = 1500",
    "max_sessions_per_subject = 5": "max_sessions_per_subject = 15",
    "total = 800": "total = 8000",
}
"""What this study has otherwise than ``reading_eeg``: money and limits for the whole corpus."""


def study_of(corpus: Corpus, sentences: int, folder: Path) -> bw.Study:
    """Return the study of the first so many sentences."""
    every = np.sort(corpus.sentence.unique())
    file = write_study(corpus, every[:sentences], folder)
    text = file.read_text(encoding="utf-8")
    for old, new in OTHER.items():
        if old not in text:
            raise ValueError(f"{file} has no line {old!r}.")
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return bw.Study.from_file(file)


def table(plan: bw.Plan, looks: list[tuple[int, bw.Plan, Update]]) -> str:
    """Return a row per look."""
    verdict = plan.verdict
    body = [["plan", str(LOOKS[0]), "", "", "", interval(plain(verdict.gain)), "", str(verdict.decision)]]
    for sentences, _, found in looks:
        last, rule, reached = found.looks[-1], found.monitored, found.reached
        body.append(
            [
                f"look {len(body)}",
                str(sentences),
                f"{found.now.labels:,}",
                f"{found.spent:,.0f}",
                "" if reached is None else f"{reached.r2:.3f}, forecast {interval(plain(reached.then))}",
                "" if last.gain is None else interval(plain(last.gain)),
                ""
                if rule is None
                else f"{rule.low:+.3f} to {rule.high:+.3f} ({rule.labels:,} labels): {rule.decision}",
                found.decision,
            ]
        )
    header = [
        "",
        "sentences",
        "labels",
        "EUR since the look before",
        "R² reached",
        "gain ahead",
        "gain so far, all looks together",
        "decision",
    ]
    return rows(header, body)


def main() -> None:
    """Plan, preregister, and update after every session."""
    given = command_line("reading_sessions", __doc__, backtest=False).parse_args()
    use_compilation_cache()
    corpus = load(fetch("frank2015_eeg_reading", progress=True), fetch("glove50_subset", progress=True))
    out: Path = given.out
    print(f"a pilot of {LOOKS[0]} sentences")
    before = study_of(corpus, LOOKS[0], out / "studies" / str(LOOKS[0]))
    folder = out / "plan"
    plan = before.plan(folder)
    record = preregister(folder, out / "preregistration", Pledge(monitored=True))
    looks: list[tuple[int, bw.Plan, Update]] = []
    for sentences in LOOKS[1:]:
        print(f"a look at {sentences} sentences")
        study = study_of(corpus, sentences, out / "studies" / str(sentences))
        following = out / f"look_{len(looks) + 1}"
        ahead = study.update(folder, following, before=before, registered=out / "preregistration")
        if ahead.details is None or ahead.details.update is None:
            raise RuntimeError("An update keeps its record.")
        looks.append((sentences, ahead, ahead.details.update))
        folder, before = following, study
    last = looks[-1][2]
    beliefs = [
        [name, interval(plain(looks[0][2].beliefs[name].then)), interval(plain(own.now))]
        for name, own in last.beliefs.items()
    ]
    sentence = f"{last.sentence} {' '.join(last.remarks)}"
    texts = {
        "looks": table(plan, looks),
        "beliefs": rows(["", "after the pilot", "after the last look"], beliefs),
        "said": f"Registered: SHA-256 {record.sha256[:12]}…\n\n> {sentence}",
    }
    (out / "looks.json").write_text(
        json.dumps([plain(found) for _, _, found in looks], indent=1) + "\n", encoding="utf-8"
    )
    (out / "looks.svg").write_bytes((folder / "figures" / "update.svg").read_bytes())
    finish(HERE, given, texts, ["looks.json", "looks.svg"], f"Report of the last look: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
