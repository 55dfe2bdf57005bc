"""A frozen plan: what was decided, why, and what will be compared, in a form that shows whether it was changed.

In: the folder of a finished plan. Out: a folder with ``preregistration.json``, its JSON Schema, the same as Markdown and HTML, and
copies of the plan's own files. ``check`` builds everything again from the copies and names the first file or field that
differs. The hash in the record shows changes by accident; whoever must prove that nobody changed it, deposits the hash elsewhere.
Errors: a folder without a finished plan; a folder that holds other files; anything that was changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from brainworth.design.common.errors import BadInput
from brainworth.design.common.files import write_atomic
from brainworth.design.common.messages import problem, quoted
from brainworth.design.common.validation import explain
from brainworth.design.common.version import __version__
from brainworth.design.decision.preregistration_records import (
    DecisionRule,
    Origin,
    PlannedCost,
    PlannedPerformance,
    PlannedPurchase,
    Preregistration,
    PrimaryComparison,
    StoppingRule,
)
from brainworth.design.decision.preregistration_text import html_of, markdown_of, reporting_fields, sample_size
from brainworth.design.decision.records.details import Details
from brainworth.design.decision.records.files import DETAILS, PLAN
from brainworth.design.decision.records.plan import Plan

_M = TypeVar("_M", bound=BaseModel)

RECORD, SCHEMA, MARKDOWN, HTML = (
    "preregistration.json",
    "preregistration.schema.json",
    "preregistration.md",
    "preregistration.html",
)
WORTHWHILE = 0.01
"""Smallest gain in explainable R2 worth recording for, where the plan does not say."""
LEVEL = 0.05
"""Level of the primary test and of a monitored stop, where nothing else is asked for."""


@dataclass(frozen=True)
class Pledge:
    """What a preregistration says beyond its plan."""

    test_labels: int | None = None
    """Labels that are held out for the primary comparison."""
    monitored: bool = False
    """Whether collection may end early by the monitoring rule."""
    level: float = LEVEL
    """Level of the primary test, and bound on the probability of a wrong early stop."""
    registered: str = ""
    """When the record was made, ISO 8601; now if empty."""


def preregister(directory: Path, out: Path, pledge: Pledge | None = None) -> Preregistration:
    """Freeze a finished plan in a folder and return the record.

    Parameters
    ----------
    directory : Path
        A folder that ``plan`` wrote.
    out : Path
        A new or empty folder.
    pledge : Pledge, optional
        Held-out labels, monitoring, level.

    Raises
    ------
    BadInput
        See the module's docstring.
    """
    promise = pledge or Pledge()
    if not 0.0 < promise.level < 0.5:
        raise BadInput(f"level: got {promise.level:g}. It must lie between 0 and 0.5, e.g. 0.05.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise problem(
            out, "", "the folder is not empty", "A preregistration is never overwritten; give --out a new folder."
        )
    plan, details = _bytes(directory / PLAN), _bytes(directory / DETAILS)
    made = _record(directory, (plan, details), promise)
    write_atomic(out / PLAN, plan)
    write_atomic(out / DETAILS, details)
    for name, content in _files(made).items():
        write_atomic(out / name, content)
    return made


def check(folder: Path, expected: str | None = None) -> Preregistration:
    """Return the record of a folder of which nothing was changed.

    Parameters
    ----------
    folder : Path
        A folder that ``preregister`` wrote.
    expected : str, optional
        The hash that was deposited.

    Raises
    ------
    BadInput
        A file is missing, or was changed: the message names the file and the field.

    Notes
    -----
    Words differ between versions of brainworth: of a record made by another version, its hash and the plan's numbers are checked,
    its Markdown and HTML are not.
    """
    saved = _parsed(folder / RECORD, Preregistration)
    plan, details = _bytes(folder / PLAN), _bytes(folder / DETAILS)
    for name, content, digest in (
        (PLAN, plan, saved.provenance.plan_sha256),
        (DETAILS, details, saved.provenance.details_sha256),
    ):
        if _sha256(content) != digest:
            raise _changed(folder / name, "", "its SHA-256 is not the one in the record")
    promise = Pledge(
        saved.primary_comparison.test_labels,
        saved.stopping_rule.kind == "monitored",
        saved.stopping_rule.level,
        saved.provenance.registered,
    )
    if record_hash(saved) != saved.sha256 and saved.provenance.registered_with != __version__:
        raise _changed(folder / RECORD, "sha256", "the record does not have the hash that it states")
    again, now = _plain(_record(folder, (plan, details), promise)), _plain(saved)
    same_words = saved.provenance.registered_with == __version__
    place = first_difference(now, again) if same_words else first_difference(_numbers(now), _numbers(again))
    if place is not None:
        raise _changed(folder / RECORD, place, "it differs from what the plan says")
    for name, content in _files(saved).items() if same_words else ():
        if _bytes(folder / name) != content:
            raise _changed(folder / name, "", "it differs from the record")
    if expected is not None and expected.strip().lower() != saved.sha256:
        raise _changed(folder / RECORD, "sha256", f"it is {saved.sha256}, not {quoted(expected)}")
    return saved


def _numbers(record: dict[str, Any]) -> dict[str, Any]:
    """Return what does not depend on the wording of a version."""
    return {name: record[name] for name in ("purchase", "cost", "forecast", "decision_rule")}


def _changed(path: Path, place: str, wrong: str) -> BadInput:
    return problem(
        path, f"field {quoted(place)}" if place else "", f"{wrong}: it was changed after registration", "Restore it."
    )


def first_difference(first: Any, second: Any, place: str = "") -> str | None:
    """Return the path of the first value that differs between two JSON values, or None."""
    if isinstance(first, dict) and isinstance(second, dict):
        one, two = cast("dict[str, Any]", first), cast("dict[str, Any]", second)
        for key in [*one, *(key for key in two if key not in one)]:
            if key not in one or key not in two:
                return f"{place}.{key}".lstrip(".")
            found = first_difference(one[key], two[key], f"{place}.{key}")
            if found is not None:
                return found
        return None
    if isinstance(first, list) and isinstance(second, list):
        one, two = cast("list[Any]", first), cast("list[Any]", second)
        for number, (left, right) in enumerate(zip(one, two, strict=False)):
            found = first_difference(left, right, f"{place}[{number}]")
            if found is not None:
                return found
        return None if len(one) == len(two) else place.lstrip(".")
    return None if first == second and type(first) is type(second) else place.lstrip(".") or "top level"


def _record(directory: Path, files: tuple[bytes, bytes], promise: Pledge) -> Preregistration:
    plan = _validated(directory / PLAN, files[0], Plan)
    details = _validated(directory / DETAILS, files[1], Details)
    verdict = plan.verdict
    worthwhile = WORTHWHILE if verdict.worthwhile is None else verdict.worthwhile
    rule = DecisionRule(
        decision=verdict.decision or ("collect" if verdict.collect_brain_data else "labels_only"),
        probability=verdict.probability,
        worthwhile=worthwhile,
        sentence=verdict.sentence,
    )
    made = Preregistration(
        schema="brainworth.preregistration/1",  # pyright: ignore[reportCallIssue]  (the alias)
        title=details.title or "Study without a title",
        purchase=PlannedPurchase.model_validate(plan.allocation),
        cost=PlannedCost.model_validate(plan.cost),
        forecast=PlannedPerformance.model_validate(plan.performance),
        decision_rule=rule,
        stopping_rule=_stopping(promise),
        primary_comparison=_comparison(promise),
        sample_size=sample_size(plan, details),
        assumptions=tuple(item.text for item in details.assumptions),
        methods=tuple(details.methods),
        references=tuple(details.citations),
        reporting=reporting_fields(plan, details, promise.level),
        provenance=Origin(
            version=plan.provenance.version,
            seed=plan.provenance.seed,
            planned=plan.provenance.created,
            registered_with=__version__,
            registered=promise.registered or datetime.now(UTC).isoformat(timespec="seconds"),
            inputs=plan.provenance.inputs,
            plan_sha256=_sha256(files[0]),
            details_sha256=_sha256(files[1]),
        ),
    )
    return made.model_copy(update={"sha256": record_hash(made)})


def record_hash(record: Preregistration) -> str:
    """Return the hash of a record without its own hash: of compact JSON with sorted keys."""
    content = {name: value for name, value in _plain(record).items() if name != "sha256"}
    return _sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def _stopping(promise: Pledge) -> StoppingRule:
    if not promise.monitored:
        sentence = "Collection ends when everything in the design has been bought. Held-out labels are looked at once, after that."
        return StoppingRule(kind="fixed", level=promise.level, sentence=sentence)
    sentence = (
        "After every session the gain over labels alone is computed for every new held-out label. Collection of brain data "
        f"ends early when the limits of the mean gain at level {promise.level:g} over all looks lie above or below the "
        "worthwhile gain, at any look, and in any case when everything in the design has been bought."
    )
    return StoppingRule(kind="monitored", level=promise.level, sentence=sentence)


def _comparison(promise: Pledge) -> PrimaryComparison:
    return PrimaryComparison(
        outcome="R2 on labels that no learner was fitted to",
        arms=(
            "the learner of the plan, fitted to all labels and recordings",
            "the same learner fitted to labels alone",
        ),
        test_labels=promise.test_labels,
        analysis=(
            "Paired: both learners predict the same held-out labels. The differences of their squared errors are averaged and "
            f"divided by the variance of the labels, with a one-sided {1 - promise.level:.0%} confidence limit."
        ),
        success="The lower confidence limit of the gain is above 0.",
    )


def _files(record: Preregistration) -> dict[str, bytes]:
    """Return the content of every file that the record determines."""
    schema = json.dumps(Preregistration.model_json_schema(by_alias=True), indent=1, sort_keys=True)
    return {
        RECORD: (json.dumps(_plain(record), indent=1, ensure_ascii=False) + "\n").encode(),
        SCHEMA: (schema + "\n").encode(),
        MARKDOWN: markdown_of(record).encode(),
        HTML: html_of(record).encode(),
    }


def _plain(record: Preregistration) -> dict[str, Any]:
    return record.model_dump(mode="json", by_alias=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        right = "Give a folder that 'brainworth plan' or 'brainworth preregister' wrote."
        raise problem(path, "", "the file does not exist", right) from None
    except OSError as error:
        raise problem(path, "", f"the file cannot be read ({error.strerror})", "Check its permissions.") from None


def _parsed(path: Path, model: type[_M]) -> _M:
    return _validated(path, _bytes(path), model)


def _validated(path: Path, content: bytes, model: type[_M]) -> _M:
    try:
        raw = json.loads(content)
    except ValueError:
        raise problem(path, "", "the file is not valid JSON", "It is damaged or was edited; restore it.") from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise explain(error, model, path, raw) from None
