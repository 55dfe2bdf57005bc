"""What other commands added to a plan stays with it as long as what it follows from stays the same."""

from __future__ import annotations

from pathlib import Path

import report_fixture
from brainworth.design.common.records import with_fields
from brainworth.design.decision.plan import added_before, earlier_plan, with_details
from brainworth.design.decision.records.files import load


def test_findings_stay_with_the_plan_they_were_made_of(tmp_path: Path) -> None:
    folder = report_fixture.write(tmp_path / "plan")
    plan = load(folder)
    assert {"sensitivity", "controls"} <= set(added_before(earlier_plan(folder), plan))
    assert added_before(earlier_plan(tmp_path / "nothing"), plan) == {}


def test_findings_of_another_budget_or_other_inputs_are_left(tmp_path: Path) -> None:
    """The same purchase may be best at two budgets; the prices at which it stops being so are not the same."""
    folder = report_fixture.write(tmp_path / "plan")
    plan = load(folder)
    assert plan.details is not None
    assert plan.details.prices is not None
    other = with_fields(plan.provenance, inputs={"labels.csv": "another"})
    reworded = with_fields(plan.provenance, inputs={**plan.provenance.inputs, "study.toml": "with a comment"})
    assert added_before(earlier_plan(folder), with_fields(plan, provenance=reworded)) != {}
    assert added_before(earlier_plan(folder), with_details(plan, budget=1.0)) == {}
    assert added_before(earlier_plan(folder), with_fields(plan, provenance=other)) == {}
    assert (
        added_before(earlier_plan(folder), with_details(plan, prices=with_fields(plan.details.prices, task=1e6))) == {}
    )
