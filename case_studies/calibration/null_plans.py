"""How often a plan recommends recordings that have nothing to do with the task.

    uv run python case_studies/calibration/null_plans.py                     # results/null_plans.md
    uv run python case_studies/calibration/null_plans.py --worlds 2 --out /tmp/null_plans

In: number of worlds of each kind, seed. Out, in --out: ``null_plans.jsonl`` (one line a plan; a run that was stopped goes on from
there) and ``null_plans.md``. The worlds are those of ``controls.py``; pilots hold 500 brain samples of two people and 40 or 120
labels, and the budget buys 40 labels or up to 4,000 samples, so that recordings would pay if they had to do with the task. In
null worlds every "collect" is a fault.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from controls import KINDS, pilot_of
from resumed import carry_out, command_line

import brainworth as bw

PILOTS = (40, 120)
"""Labels of a pilot."""
DECISIONS = ("collect", "toss_up", "labels_only", "refused")


def one_plan(kind: str, labels: int, index: int, seed: int) -> dict[str, Any]:
    """Return what a plan says of brain data that cost little beside labels, or why it was refused."""
    pilot = pilot_of(kind, seed, index)
    people = {r.subject: (r.stimulus, r.in_memory) for r in pilot.recordings}
    modality = {"name": "EEG", "new_subjects": True, "cost": {"per_sample": 0.01, "per_subject": 2.0}}
    config = {"task": {"cost_per_label": 1.0}, "modality": [modality], "budget": {"total": 40}}
    known = pilot.label_stimulus[:labels], pilot.label[:labels]
    study = bw.Study.from_arrays(pilot.features, known, {"EEG": people}, config, pilot.group)
    found: dict[str, Any] = {"kind": kind, "labels": labels, "index": index}
    try:
        verdict = study.fit(seed=index).plan().verdict
    except bw.HealthRefusal as error:
        return {**found, "decision": "refused", "why": str(error)[:200]}
    gain = verdict.mean_gain
    return {**found, "decision": verdict.decision, "gain": gain, "probability": verdict.probability}


def table(lines: list[dict[str, Any]]) -> str:
    """Return the decisions of all kinds, in Markdown."""
    rows = [
        "| worlds | labels of the pilot | plans | collect | toss-up | labels only | refused | stated gain, median |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for labels in PILOTS:
        for kind in KINDS:
            own = [line for line in lines if (line["kind"], line["labels"]) == (kind, labels)]
            if not own:
                continue
            decided = [str(sum(line["decision"] == name for line in own)) for name in DECISIONS]
            gains = [line["gain"] for line in own if line.get("gain") is not None]
            middle = f"{np.median(gains):+.3f}" if gains else ""
            rows.append(f"| {kind} | {labels} | {len(own)} | {' | '.join(decided)} | {middle} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Plan in all kinds of worlds."""
    given = command_line(__doc__, "worlds", 10)
    tasks = [(kind, labels, index) for index in range(given.count) for labels in PILOTS for kind in KINDS]
    carry_out("null_plans", one_plan, tasks, ("kind", "labels", "index"), table, given)


if __name__ == "__main__":
    main()
