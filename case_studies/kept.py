"""What the runs of all case studies share: their command line, and results that are kept beside the study.

In: the folder of a case study, texts by name, files to copy. Out: ``results/NAME.md``, the copies, and the README with each text
between ``<!-- NAME -->`` and ``<!-- end NAME -->``. Errors: a README without the marks of a text (``ValueError`` names them).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brainworth.design.api import Study
from brainworth.design.common.records import plain
from brainworth.design.decision.controls import controls_study
from brainworth.design.decision.records.controls import Controls
from brainworth.design.posterior.backtest import backtest


def command_line(name: str, text: str | None, *, backtest: bool = True) -> argparse.ArgumentParser:
    """Return the parser of a case study's run: ``--out``, ``--keep`` and, with recordings, ``--backtest`` and ``--controls``."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out") / name, help="folder of the results")
    parser.add_argument("--keep", action="store_true", help="write results/ and the tables of the README")
    if backtest:
        parser.add_argument("--backtest", type=int, default=0, metavar="SPLITS", help="splits of the backtest; 0: none")
        parser.add_argument("--controls", type=int, default=0, metavar="SPLITS", help="splits of the controls; 0: none")
    return parser


def rows(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *body])


def interval(block: Mapping[str, float], digits: int = 3) -> str:
    """Return the mean and the central 90 % of a quantity of a plan."""
    return f"{block['mean']:.{digits}f} ({block['q05']:.{digits}f} to {block['q95']:.{digits}f})"


def checks_text(plan: Mapping[str, Any]) -> str:
    """Return what the health checks of a plan complain of, as a list."""
    doubts = [
        f"* {entry['name']}: {entry['sentence']}" for entry in plan["health"]["checks"] if entry["status"] != "ok"
    ]
    return "\n".join(doubts) or "No check of the pilot's health complains."


def within_pilot(study: Study, given: argparse.Namespace) -> tuple[dict[str, str], list[str]]:
    """Run the backtest and the controls that the command line asks for; return their texts by name, and the files written."""
    texts: dict[str, str] = {}
    if given.backtest:
        texts["backtest"] = backtest_text(study, given.backtest, given.out)
    if given.controls:
        texts["controls"] = controls_text(study, given.controls, given.out)
    return texts, [f"{name}.json" for name in texts]


def controls_text(study: Study, splits: int, folder: Path) -> str:
    """Compare a study's recordings with controls, write ``controls.json`` into a folder, and return a table and sentences."""
    found = controls_study(study, folder / "plan", splits=splits, progress=lambda stage: print(f"  controls, {stage}"))
    (folder / "controls.json").write_text(json.dumps(plain(found), indent=1) + "\n", encoding="utf-8")
    return controls_table(found)


def controls_table(found: Controls) -> str:
    """Return controls as a table and sentences."""
    body = [
        [name, arm.name, f"{own.r2:.3f}", f"{arm.r2:.3f}", f"{arm.gain:+.3f} ± {arm.gain_se:.3f}"]
        for name, own in found.modalities.items()
        for arm in own.arms
    ]
    said = [*(own.sentence for own in found.modalities.values()), found.alignment_sentence]
    table = rows(["recordings", "control", "R² with recordings", "R² with the control", "gain"], body)
    return f"{table}\n\n{' '.join(said)}"


def backtest_text(study: Study, splits: int, folder: Path) -> str:
    """Backtest a study within its pilot, write ``backtest.json`` into a folder, and return the scores as a table."""
    found = backtest(study, splits=splits, progress=lambda stage: print(f"  backtest, {stage}"))
    (folder / "backtest.json").write_text(json.dumps(plain(found), indent=1) + "\n", encoding="utf-8")
    count = len(found.points)
    body = [
        ["coverage of the 90 % interval", f"{round(found.coverage * count)} of {count}"],
        ["CRPS of the forecast", f"{found.crps.forecast:.3f}"],
        ["CRPS of a power law through the learning curve", f"{found.crps.power_law:.3f}"],
        ["skill against the power law", f"{found.skill:.2f}"],
    ]
    return rows(["backtest within the pilot", "value"], body)


def finish(
    case: Path, given: argparse.Namespace, texts: Mapping[str, str], files: Iterable[str], last: str = ""
) -> None:
    """Write ``results.md`` into the folder of the results and print it, and a last line; keep texts and files if asked to."""
    text = "\n\n".join(texts.values()) + "\n"
    (given.out / "results.md").write_text(text, encoding="utf-8")
    print("\n".join(["", text, *([last] if last else [])]))
    if given.keep:
        keep(case, texts, [given.out / name for name in files])


def keep(case: Path, texts: Mapping[str, str], files: Iterable[Path] = ()) -> None:
    """Write results of a run beside its case study, and into its README.

    Raises
    ------
    ValueError
        If the README lacks the marks of a text.
    """
    folder, readme = case / "results", case / "README.md"
    page = readme.read_text(encoding="utf-8")
    for name, text in texts.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not mark.search(page):
            raise ValueError(f"{readme} has no place <!-- {name} --> ... <!-- end {name} -->.")
        page = mark.sub(lambda found, body=text: f"{found[1]}{body.strip()}\n{found[2]}", page)
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text.strip() + "\n", encoding="utf-8")
    for file in files:
        shutil.copyfile(file, folder / file.name)
    readme.write_text(page, encoding="utf-8")
