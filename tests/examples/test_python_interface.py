"""The Python interface: its page runs every verb, results show themselves shortly, wrong input is told plainly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import brainworth as bw
from brainworth.design.common.cards import MOST_LINES
from brainworth.design.common.records import plain

NOTHING = pd.DataFrame()
PAGE = Path(__file__).parents[2] / ".docs" / "pages" / "how-to" / "notebook.md"
VERBS = (
    *("bw.Study.from_frames(", "bw.Task(", "bw.Modality(", "bw.Cost(", "bw.Budget("),
    *("study.check()", "study.fit(seed=0, progress=True)", "study.backtest(splits=", "posterior.controls("),
    *(
        "posterior.data",
        "posterior.to_dataframe()",
        "posterior.summary()",
        "posterior.plot()",
        "posterior.plan(budget=",
    ),
    *(
        "posterior.evaluate(labels=",
        "plan.verdict.sentence",
        'plan["verdict"]["sentence"]',
        'plan.allocation["EEG"].subjects',
    ),
    *(
        "plan.performance.explainable_r2.q05",
        "plan.compare()",
        "plan.sensitivity()",
        "plan.frontier.plot()",
        "plan.save(",
    ),
    *(
        "bw.load_plan(",
        ".report(",
        "plan.learner()",
        "bw.theory.excess_risk(",
        "except bw.Infeasible",
        ".binding",
        ".nearest",
    ),
)
STUDY = """
[study]
title = "Priors only"
[task]
cost_per_label = 5.0
[[modality]]
name = "EEG"
new_subjects = true
[modality.cost]
per_session = 100
samples_per_session = 200
per_subject = 20
[modality.design]
max_subjects = 10
max_sessions_per_subject = 2
[budget]
total = 3000
[priors]
dimension = 30
"""


def test_the_page_of_the_interface_runs_every_verb() -> None:
    """``test_docs`` runs the page; here it is that none of the interface is missing from it."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    assert [verb for verb in VERBS if verb not in code] == []


@pytest.fixture(scope="module")
def posterior(tmp_path_factory: pytest.TempPathFactory) -> bw.Posterior:
    file = tmp_path_factory.mktemp("study") / "study.toml"
    file.write_text(STUDY)
    return bw.Study.from_file(file).fit(seed=7)


@pytest.fixture(scope="module")
def plan(posterior: bw.Posterior) -> bw.Plan:
    return posterior.plan(budget=500, rehearsals=0)


def test_everything_said_of_a_plan_is_of_the_budget_that_was_asked_for(plan: bw.Plan) -> None:
    assert plan.details is not None
    assert plan.details.budget == 500.0
    assert plan.cost.total <= 500.0
    assert "within 500 USD" in plan.details.methods[0]
    assert "3,000" not in " ".join([*plan.details.methods, plan.verdict.sentence, repr(plan)])


def test_a_plan_says_the_seed_that_its_posterior_was_drawn_with(posterior: bw.Posterior, plan: bw.Plan) -> None:
    assert posterior.study.config.study.seed == 0
    assert plan.provenance.seed == 7


def test_records_are_read_by_name_or_as_attributes(plan: bw.Plan) -> None:
    assert plan["verdict"]["sentence"] == plan.verdict.sentence
    assert plan["allocation"]["modalities"]["EEG"]["subjects"] == plan.allocation["EEG"].subjects
    assert plan["schema"] == "brainworth.plan/1"
    with pytest.raises(bw.BadInput, match="Did you mean 'verdict'"):
        plan["verdct"]


def test_a_saved_plan_is_read_back_as_it_was(plan: bw.Plan, tmp_path: Path) -> None:
    again = bw.load_plan(plan.save(tmp_path / "plan"))
    assert plain(again) == plain(plan)
    assert plain(again.details) == plain(plan.details)
    page = again.report(tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "folder").mkdir()
    assert again.report(tmp_path / "folder") == tmp_path / "folder" / "report.html"
    assert "Priors only" in page
    with pytest.raises(bw.BadInput, match="has no posterior"):
        again.compare()


def test_results_show_themselves_shortly(posterior: bw.Posterior, plan: bw.Plan) -> None:
    for result in (posterior.study, posterior.study.check(), posterior, plan, plan.frontier):
        assert len(repr(result).splitlines()) <= MOST_LINES
        card = result._repr_html_()  # pyright: ignore[reportPrivateUsage]  (as a notebook does)
        assert "prefers-color-scheme:dark" in card
        assert "<script" not in card
    for record in (plan.verdict, plan.performance, plan.details, plan.allocation):
        assert len(repr(record)) < 2000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"budget": "500"}, "budget: got '500'. Give a number"),
        ({"budget": True}, "budget: got 'True'. Give a number"),
        ({"budget": float("nan")}, "Give a finite amount"),
        ({"budget": -1}, "of at least 0"),
        ({"constraints": {"EEG": 3}}, "Give a function"),
        ({"constraints": lambda v: [v.samples["EGG"] >= 1]}, "Did you mean 'EEG'"),
        ({"constraints": lambda v: [v.sample["EEG"] >= 1]}, "Did you mean 'samples'"),
        ({"rounds": "2"}, "rounds: got '2'. Give a whole number from 1 to 3"),
        ({"rehearsals": -3}, "rehearsals: got '-3'"),
    ],
)
def test_wrong_questions_are_told_plainly(posterior: bw.Posterior, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(bw.BadInput, match=re.escape(said)):
        posterior.plan(**asked)


def test_what_is_infeasible_names_the_limit_and_the_nearest_value(posterior: bw.Posterior) -> None:
    with pytest.raises(bw.Infeasible) as found:
        posterior.plan(budget=1)
    assert found.value.binding == ("budget.total",)
    assert found.value.nearest == {"budget.total": 5.0}


def test_blocks_are_checked_when_they_are_made() -> None:
    with pytest.raises(bw.BadInput, match="Did you mean 'per_sample'"):
        bw.Cost(per_sampel=1.0)
    with pytest.raises(bw.BadInput, match="the key 'cost_per_label' is missing"):
        bw.Task()
    with pytest.raises(bw.BadInput, match="both config and blocks"):
        bw.Study.from_frames(
            stimuli=NOTHING, labels=NOTHING, recordings={}, config={}, task=bw.Task(cost_per_label=1.0)
        )
    with pytest.raises(bw.BadInput, match="modalities is missing"):
        bw.Study.from_frames(stimuli=NOTHING, labels=NOTHING, recordings={}, task=bw.Task(cost_per_label=1.0))


def test_public_names_exist() -> None:
    assert all(getattr(bw, name) is not None for name in bw.__all__)
    assert bw.theory.excess_risk is bw.excess_risk
    assert all(getattr(bw.theory, name) is not None for name in bw.theory.__all__)
