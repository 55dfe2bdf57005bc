"""While data come in: a plan, more data, and what the update says of them; data that nobody forecast are told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brainworth as bw
import report_fixture
from brainworth.design.allocation.prices import FREE
from brainworth.design.cli import main
from brainworth.design.decision.plan import problem_of
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.records.update import Held
from brainworth.design.decision.update import Since, update_study
from brainworth.design.decision.update.evidence import CAP, FEWEST, monitored, paired_gains
from brainworth.design.decision.update.money import bill, held_by, remaining_problem
from brainworth.design.posterior.fit import Posterior, fit_study
from brainworth.models.pilot.pilot import Pilot, Recording

BUDGET = 1500.0


def frames(labels: int, recorded: int, people: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The first so many labels and recordings of one made-up data set: one strong latent that carries most of the task."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 20)) * np.arange(1, 21) ** -0.3
    latent, rest = x @ rng.standard_normal(20), x @ rng.standard_normal(20)
    latent, rest = latent / latent.std(), rest / rest.std()
    y = np.sqrt(0.7) * latent + np.sqrt(0.3) * rest + rng.standard_normal(400)
    ids = [f"s{i:03d}" for i in range(400)]
    stimuli = pd.DataFrame(x, columns=[f"f{i}" for i in range(20)])
    stimuli.insert(0, "stimulus", ids)
    stimuli.insert(1, "group", [f"g{i // 5}" for i in range(400)])
    parts = []
    for person in range(people):
        own = np.random.default_rng([1, person])
        channels = latent[:recorded, None] * own.standard_normal(12) * 0.5 + own.standard_normal((recorded, 12))
        part = pd.DataFrame(channels, columns=[f"c{i}" for i in range(12)])
        part.insert(0, "subject", f"p{person}")
        part.insert(1, "stimulus", ids[:recorded])
        parts.append(part)
    return stimuli, pd.DataFrame({"stimulus": ids[:labels], "label": y[:labels]}), pd.concat(parts, ignore_index=True)


def study_of(labels: int, recorded: int, people: int) -> bw.Study:
    stimuli, label, recordings = frames(labels, recorded, people)
    cost = bw.Cost(per_session=100.0, samples_per_session=400, per_subject=40.0, setup=50.0)
    return bw.Study.from_frames(
        stimuli=stimuli,
        labels=label,
        recordings={"EEG": recordings},
        task=bw.Task(cost_per_label=2.0, max_labels=500),
        modalities=[bw.Modality(name="EEG", new_subjects=True, cost=cost)],
        budget=bw.Budget(total=BUDGET, currency="EUR"),
    )


@pytest.fixture(scope="module")
def before() -> bw.Study:
    return study_of(80, 150, 2)


@pytest.fixture(scope="module")
def planned(before: bw.Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned")
    before.plan(folder / "plan", rehearsals=0, force=True)
    return folder


@pytest.fixture(scope="module")
def updated(before: bw.Study, planned: Path) -> bw.Plan:
    return study_of(120, 200, 3).update(planned / "plan", planned / "next", before=before, rehearsals=0, force=True)


def test_an_update_says_what_came_what_it_taught_and_whether_to_go_on(updated: bw.Plan, planned: Path) -> None:
    assert updated.details is not None
    found = updated.details.update
    assert found is not None
    assert found.then == Held(labels=80, samples={"EEG": 300}, people={"EEG": 2})
    assert found.now == Held(labels=120, samples={"EEG": 600}, people={"EEG": 3})
    # 40 labels at 2, one new person at 40, one session of at most 400 samples at 100, the setup once at 50
    assert found.spent == 80 + 40 + 100 + 50
    assert found.remaining == BUDGET - found.spent
    assert updated.cost.total <= BUDGET - found.spent
    decisions = {"collect": "go_on", "toss_up": "toss_up", "labels_only": "labels_instead"}
    assert found.decision == decisions[str(updated.verdict.decision)]
    assert updated.verdict.sentence in found.sentence
    assert [look.decision for look in found.looks][-1] == found.decision
    assert [look.held.labels for look in found.looks] == [80, 120]
    assert found.reached is not None
    assert found.reached.as_forecast, "the data are of the same kind as the pilot's"
    assert len(found.gains) == 40
    assert found.monitored is not None
    assert found.monitored.labels == 40
    assert found.monitored.low <= CAP * np.mean(found.gains) <= found.monitored.high
    assert set(found.beliefs) == {"alignment", "latent_dimension", "snr:EEG", "explainable share"}
    page = (planned / "next" / "report.html").read_text()
    assert "Since the plan" in page
    assert 'id="update-desc"' in page
    assert bw.load_plan(planned / "next").details == updated.details
    assert len(repr(found).splitlines()) <= 20


def test_what_nobody_forecast_is_told_apart(before: bw.Study, planned: Path) -> None:
    """Labels of the new stimuli that have nothing to do with them: what is reached leaves the plan's interval."""
    stimuli, label, recordings = frames(400, 150, 2)
    label.loc[80:, "label"] = np.random.default_rng(5).standard_normal(320) * 1.4
    config = study_of(80, 150, 2).config
    spoiled = bw.Study.from_frames(
        stimuli=stimuli, labels=label, recordings={"EEG": recordings}, config=config.model_dump(exclude_unset=True)
    )
    plan = spoiled.update(planned / "plan", planned / "spoiled", before=before, rehearsals=0, force=True)
    assert plan.details is not None
    found = plan.details.update
    assert found is not None
    assert found.reached is not None
    assert not found.reached.as_forecast
    share = found.beliefs["explainable share"]
    assert (share.now.q95 or 1.0) < (share.then.mean or 0.0)


def test_money_is_counted_to_the_cent_and_limits_shrink(before: bw.Study, updated: bw.Plan, planned: Path) -> None:
    posterior = fit_study(before, before.config.study.seed, planned / "plan" / "posterior.nc")
    problem = problem_of(posterior)
    new = Held(labels=10, samples={"EEG": 900}, people={"EEG": 2})
    # two people come twice for sessions of at most 400 samples
    assert bill(problem, new) == Decimal(10 * 2 + 4 * 100 + 2 * 40 + 50)
    assert bill(problem, new, frozenset({"EEG"})) == Decimal(10 * 2 + 4 * 100 + 2 * 40)
    assert bill(problem, Held(labels=0, samples={"EEG": 0}, people={"EEG": 0})) == 0
    ahead = remaining_problem(posterior, new, frozenset({"EEG"}), Decimal(700))
    assert ahead.budget == 700
    assert ahead.task_limits.max_labels == 490
    assert ahead.modalities[0][0].setup == FREE
    assert problem.modalities[0][0].setup != FREE
    assert held_by(before) == Held(labels=80, samples={"EEG": 300}, people={"EEG": 2})


def _pilot(labels: int, *, useful: bool, seed: int) -> Pilot:
    """A task that one latent carries, and recordings of it or of nothing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((600, 30))
    latent = x @ np.random.default_rng([seed, 1]).standard_normal(30) / np.sqrt(30)
    seen = latent if useful else rng.standard_normal(600)
    channels = seen[:, None] * rng.standard_normal(10) + rng.standard_normal((600, 10))
    label = latent + 0.7 * np.random.default_rng([seed, 2]).standard_normal(600)
    recording = Recording("EEG", "p0", np.arange(600), channels)
    return Pilot(x, np.arange(600), (recording,), np.arange(labels), label[:labels])


def test_gains_are_paired_new_and_of_the_recordings() -> None:
    """Over 300 new labels and two worlds: useful recordings gain by more than five standard errors, useless ones by less."""
    gains = {}
    for useful in (True, False):
        found = [
            paired_gains(_pilot(25, useful=useful, seed=seed), _pilot(325, useful=useful, seed=seed)) for seed in (1, 2)
        ]
        assert all(len(own) == 300 for own in found)
        assert all(np.abs(own).max() <= 1.0 for own in found)
        gains[useful] = np.concatenate(found)
    error = {useful: own.std() / np.sqrt(len(own)) for useful, own in gains.items()}
    assert gains[True].mean() > 5.0 * error[True]
    assert abs(gains[False].mean()) < 5.0 * error[False]
    same = _pilot(25, useful=True, seed=1)
    assert paired_gains(same, same).size == 0, "a stimulus that had a label before is not new"
    fewer = replace(same, features=same.features[:, :-1])
    with pytest.raises(bw.BadInput, match="had 30 features"):
        paired_gains(same, fewer)


def test_the_rule_is_asked_of_enough_labels_only(before: bw.Study, updated: bw.Plan, planned: Path) -> None:
    posterior: Posterior = fit_study(before, before.config.study.seed, planned / "plan" / "posterior.nc")
    assert monitored([0.1] * (FEWEST - 1), posterior, 0.05) is None
    steady = monitored([0.2] * 200, posterior, 0.05)
    assert steady is not None
    assert steady.decision == "enough"
    useless = monitored([-0.2] * 200, posterior, 0.05)
    assert useless is not None
    assert useless.decision == "stop"
    assert "less than is worthwhile" in useless.sentence


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ((60, 150, 2), "the plan's pilot had 80 labels, the study has 60"),
        ((90, 100, 2), "EEG: the plan's pilot had 300 samples, the study has 200"),
        ((80, 150, 2), "nothing has come in since the plan"),
    ],
)
def test_less_than_the_pilot_is_refused(
    now: tuple[int, int, int], message: str, updated: bw.Plan, planned: Path
) -> None:
    with pytest.raises(bw.BadInput, match=message) as caught:
        update_study(planned / "plan", study_of(*now), planned / "refused")
    assert "\n" not in str(caught.value)
    assert not (planned / "refused").exists()


def test_what_else_cannot_be_updated(
    before: bw.Study, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = study_of(120, 200, 3)
    with pytest.raises(bw.BadInput, match="is not written over the plan"):
        update_study(planned / "plan", more, planned / "plan")
    with pytest.raises(bw.BadInput, match=r"plan\.json does not exist"):
        update_study(tmp_path, more, tmp_path / "next")
    with pytest.raises(bw.BadInput, match="a finite number of at least 0"):
        update_study(planned / "plan", more, tmp_path / "next", Since(spent=float("nan")))
    made_up = report_fixture.write(tmp_path / "made_up")
    details = json.loads((made_up / "details.json").read_text())
    (made_up / "details.json").write_text(json.dumps(details | {"pilot": {"labels": 10, "modalities": {}}}))
    with pytest.raises(bw.BadInput, match=r"posterior\.nc: there is no such file"):
        update_study(made_up, more, tmp_path / "next")
    (made_up / "posterior.nc").write_bytes(b"not an archive")
    with pytest.raises(bw.BadInput, match="damaged or edited"):
        update_study(made_up, more, tmp_path / "next")
    assert (
        main(["update", str(tmp_path / "nowhere"), "--with", str(tmp_path / "no.toml"), "--out", str(tmp_path / "o")])
        == 2
    )
    assert "no.toml" in capsys.readouterr().err
    assert isinstance(bw.load_plan(planned / "plan"), Plan)
