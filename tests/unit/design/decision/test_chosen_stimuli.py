"""Plans whose labels are for chosen stimuli: against learners trained in simulated worlds, and what the plan says.

The full run is ``case_studies/calibration/chosen_stimuli.py``. A right forecast is called wrong with a probability of 0.5 % in
each comparison (t test over worlds). The wrong twins are the forecast for random labels, used for chosen ones, and the reverse.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from brainworth.design.allocation.describe import allocation
from brainworth.design.allocation.regret import task_only
from brainworth.design.common.errors import BadInput
from brainworth.design.common.records import plain
from brainworth.design.decision.chosen_stimuli import chosen_record
from brainworth.design.decision.plan import How, make_plan, problem_of
from brainworth.design.decision.preregistration_text import sample_size
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.rehearse import RehearsalOptions, belief_of, rehearse_purchases
from brainworth.design.decision.stimuli import choose
from brainworth.design.decision.verdict import binding
from brainworth.design.decision.wish import Wish, broken, wished
from brainworth.design.pilot.study import StudyData
from brainworth.design.report.paragraphs import grant, registered
from brainworth.design.report.saved import Saved
from brainworth.models.forecast.forecast import Order
from brainworth.models.learner.rehearsal import rehearse_once, setting_of
from brainworth.models.learner.rehearsed_data import Material

sys.path.append(str(Path(__file__).parents[4] / "case_studies" / "calibration"))

import chosen_stimuli as case  # pyright: ignore[reportMissingImports]

CLUSTERS = case.KINDS["clusters: 10 % far out"]
NEAR = case.KINDS["all nearer than the pilot's"]
WORLDS = 8
BEFORE = (0.8033175270087467, 0.7079480997270517)
"""Explainable R^2 of two rehearsals of a plan without the option, before the option was there."""


def _world(kind: Any, seed: int) -> Any:
    return case.Carried.of(kind, np.random.default_rng([7, seed]))


@pytest.fixture(scope="module")
def clusters() -> Any:
    return _world(CLUSTERS, 0)


def _with_budget(posterior: Any, total: float) -> Any:
    config = posterior.study.config
    config = config.model_copy(update={"budget": config.budget.model_copy(update={"total": total})})
    return replace(posterior, study=replace(posterior.study, config=config))


def test_learners_reach_what_is_forecast_for_chosen_labels_and_wrong_twins_fail() -> None:
    lines: list[dict[str, Any]] = []
    for seed in range(WORLDS):
        there = _world(CLUSTERS, seed)
        lines.append(
            {
                "forecast chosen": case.forecast(there.posterior, case.LABELS),
                "forecast random": case.forecast(there.without, case.LABELS),
                "reached chosen": there.reached(there.chosen(case.LABELS)),
                "reached like": there.reached(there.like_the_pilot(case.LABELS)),
            }
        )
    assert not case.apart(lines, "reached chosen", "forecast chosen")[2]
    assert not case.apart(lines, "reached like", "forecast random")[2]
    more, _, clear = case.apart(lines, "reached chosen", "forecast random")
    assert clear
    assert more > 0.05
    less, _, clear = case.apart(lines, "reached like", "forecast chosen")
    assert clear
    assert less < -0.05


def test_rehearsals_confirm_the_forecast_for_chosen_labels(clusters: Any) -> None:
    options = RehearsalOptions(n=24, labels_alone=None, early=False)
    found = rehearse_purchases(clusters.posterior, case.labels_alone(20, case.LABELS), options)
    for record, labels in zip(found, (20, case.LABELS), strict=True):
        stated = case.forecast(clusters.posterior, labels)
        assert abs(record.explainable_r2.mean - stated) < 3.0 * record.explainable_r2.se + 0.01
    random = rehearse_purchases(clusters.without, case.labels_alone(case.LABELS), options)[0]
    gained = found[1].realised - random.realised
    assert gained.mean() > 3.0 * gained.std(ddof=1) / np.sqrt(gained.size)


def test_labels_of_near_stimuli_count_for_less() -> None:
    there = _world(NEAR, 0)
    found = there.posterior.chosen_labels
    assert float(found.worth.random_labels(np.array(60.0))) < 40.0
    assert float(found.against_pool.random_labels(np.array(60.0))) > 60.0
    assert case.forecast(there.posterior, 60) < case.forecast(there.without, 60)


def test_the_order_is_that_of_choose(clusters: Any) -> None:
    pool = pd.DataFrame(clusters.pool, columns=list(clusters.posterior.study.names.features))
    pool.insert(0, "stimulus", np.arange(len(pool)))
    rows = choose(clusters.posterior, pool, 25).rows
    assert [int(row.stimulus) for row in rows] == clusters.posterior.chosen_labels.order[:25].tolist()


def test_a_larger_rehearsed_design_holds_the_labels_of_a_smaller_one(clusters: Any) -> None:
    found, surface = clusters.posterior.chosen_labels, clusters.posterior.surface()
    believed = belief_of(clusters.posterior, in_label_units=False).on(found.variance)
    orders = [Order(jnp.asarray(labels), *(jnp.asarray([n]) for n in (0.0, 1.0, 1.0))) for labels in (10.0, 30.0)]
    setting = setting_of(believed, surface.size, orders, 1)
    setting = replace(setting, stimuli=found.rehearsed(np.zeros(1, dtype=int), 30))
    small, large = (Material(setting, 0).labels(data) for data in setting.designs)
    assert (small[0].n, small[1].n, large[1].n) == (case.LABELLED, case.LABELLED + 10, case.LABELLED + 30)
    np.testing.assert_array_equal(small[0].cross, large[0].cross)
    rows = found.coordinates[10:30]
    np.testing.assert_allclose(large[1].gram - small[1].gram, rows.T @ rows, atol=1e-8)
    explainable, _ = rehearse_once(setting, 0)
    assert np.isfinite(explainable).all()


def test_without_the_pilots_data_labels_are_counted_by_a_learner_that_never_saw_them(clusters: Any) -> None:
    study = clusters.posterior.study
    config = study.config.model_copy(update={"budget": study.config.budget.model_copy(update={"reuse_pilot": False})})
    posterior = replace(clusters.posterior, study=replace(study, config=config))
    found = rehearse_purchases(posterior, case.labels_alone(60), RehearsalOptions(n=16, labels_alone=None))[0]
    stated = case.forecast(posterior, 60)
    assert stated < case.forecast(clusters.posterior, 60)
    assert abs(found.explainable_r2.mean - stated) < 3.0 * found.explainable_r2.se + 0.02


def test_no_more_labels_can_be_bought_than_the_pool_has(clusters: Any) -> None:
    problem = problem_of(clusters.posterior.study.config, clusters.posterior)
    assert problem.max_labels == case.POOL
    held = f"stimuli to choose from in candidates = {case.POOL}"
    bought = allocation(problem, task_only(problem))
    assert bought.n_task == case.POOL
    assert binding(problem, bought, bought) == (held,)
    assert any(limit.startswith(held) for limit in broken(problem, wished(problem, Wish(labels=case.POOL + 1))))
    whole = chosen_record(clusters.posterior, case.POOL)
    assert whole is not None
    assert whole.sentence.endswith("there is nothing to choose.")
    fewer = replace(problem, task_limits=replace(problem.task_limits, max_labels=100))
    assert (fewer.max_labels, fewer.task_limits.upper_limit) == (100, "task.max_labels = 100")


def test_a_plan_says_what_choosing_is_worth(clusters: Any) -> None:
    posterior = _with_budget(clusters.posterior, 60.0)
    plan = make_plan(posterior.study.config, posterior, how=How(rehearsals=8))
    assert plan.performance.rehearsal is not None
    said = plan.chosen_stimuli
    assert said is not None
    assert plan.allocation.n_task > 20
    saved, counted = said.saved, said.counted_as
    assert saved.q05 is not None
    assert saved.mean is not None
    assert saved.q95 is not None
    assert counted.mean is not None
    assert 0.0 < saved.q05 <= saved.mean <= saved.q95
    assert counted.mean > 1.5 * plan.allocation.n_task
    assert (said.pool, said.candidates, said.chosen) == ("candidates", case.POOL, plan.allocation.n_task)
    assert "“brainworth stimuli”" in said.sentence
    assert f"saves {saved.mean:,.0f} labels" in said.sentence or f"saves at least {saved.mean:,.0f}" in said.sentence
    assert plan.details is not None
    saved_plan = replace(Saved.of(plan), plan=Plan.model_validate(json.loads(json.dumps(plain(plan)))))
    texts = (
        sample_size(plan, plan.details),
        grant(saved_plan),
        registered(saved_plan),
        plan.details.methods[0],
        str(plan.card()),
    )
    assert all(said.sentence in text for text in texts)
    assert any("“brainworth stimuli” chooses" in row.text for row in plan.details.assumptions)
    assert not any(row.text.startswith("New stimuli come from") for row in plan.details.assumptions)


def test_without_the_option_nothing_changes() -> None:
    """A study that says false is one without the table [design], and both have the numbers of before there was one."""
    found: list[Any] = []
    for design in ({}, {"design": {"chosen_stimuli": False}}):
        config = {name: part for name, part in case.CONFIG.items() if name != "design"} | {"budget": {"total": 60.0}}
        there = case.Carried.of(CLUSTERS, np.random.default_rng(11), config | design)
        assert there.posterior.chosen_labels is None
        options = RehearsalOptions(n=2, labels_alone=None, early=False)
        realised = rehearse_purchases(there.posterior, case.labels_alone(case.LABELS), options)[0].realised
        np.testing.assert_allclose(realised, BEFORE, rtol=1e-6)
        found.append(there.posterior)
    assert found[0].study.config == found[1].study.config
    config = found[0].study.config
    assert problem_of(config, found[0]) == problem_of(config, found[1])
    plan = plain(make_plan(config, found[1], how=How(rehearsals=0)))
    assert "chosen_stimuli" not in plan


def _study(**given: Any) -> StudyData:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 4))
    labels = np.arange(40), features[:40, 0] + rng.standard_normal(40)
    people = {"EEG": {"p1": (np.arange(60), rng.standard_normal((60, 3)))}}
    own = {name: given.pop(name) for name in ("candidates",) if name in given}
    return StudyData.from_arrays(features, labels, people, case.CONFIG | given, **own)


def test_the_studys_own_unlabelled_stimuli_are_the_pool_unless_another_is_named() -> None:
    own = _study()
    assert own.pool == (20, "the study's own stimuli without labels")
    assert own.candidates is not None
    assert own.candidates.stimulus[0] == "40"
    assert any("chosen from the study's own stimuli without labels, 20 in all" in remark for remark in own.remarks)
    assert _study(candidates=np.zeros((7, 4))).pool == (7, "candidates")
    assert _study(design={}).candidates is None


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a path in memory": ({"design": {"chosen_stimuli": True, "candidates": "pool.csv"}}, "paths in it are not read"),
    "a pool for nothing": ({"design": {}, "candidates": np.zeros((7, 4))}, "the study chooses none"),
    "too few": ({"task": {"cost_per_label": 1.0, "min_labels": 30}}, "30 labels must be bought, and .* has 20 stimuli"),
    "another feature": ({"candidates": np.zeros((7, 3))}, "the column is missing"),
    "misspelt": ({"design": {"chosen_stimulus": True}}, "did you mean 'chosen_stimuli'|Did you mean 'chosen_stimuli'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_designs(name: str) -> None:
    given, message = BAD[name]
    with pytest.raises(BadInput, match=message):
        _study(**given)
