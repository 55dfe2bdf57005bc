"""While data come in: a plan, more data, and what the update says of them; data that nobody forecast are told apart."""

from __future__ import annotations

import json
import shutil
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
from brainworth.design.decision.preregistration import Pledge, preregister
from brainworth.design.decision.records.files import load
from brainworth.design.decision.records.plan import Plan
from brainworth.design.decision.records.update import Held
from brainworth.design.decision.update import Since, update_study
from brainworth.design.decision.update.evidence import CAP, FEWEST, monitored, paired_gains
from brainworth.design.decision.update.money import bill, held_by, remaining_problem
from brainworth.design.decision.update.registered import Course, against, exceeded, record_of
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.scaffold import write_example
from brainworth.models.pilot.pilot import Pilot, Recording

BUDGET = 8000.0


def study_of(folder: Path, labels: int, each: int, people: int, spoiled: int | None = None) -> bw.Study:
    """The first so many labels, and samples of each of so many people, of the example study; labels from ``spoiled`` on negated."""
    files = {path.name: path for path in write_example(folder)}
    stimuli, known = pd.read_csv(files["stimuli.csv"]), pd.read_csv(files["labels.csv"])
    late = pd.DataFrame({"stimulus": [s for s in stimuli["stimulus"] if s not in set(known["stimulus"])]})
    late["label"] = np.random.default_rng(0).choice(known["label"], len(late))
    table = pd.concat([known, late], ignore_index=True).head(labels)
    if spoiled is not None:
        table.loc[spoiled:, "label"] *= -1.0
    table.to_csv(files["labels.csv"], index=False)
    eeg = pd.read_csv(files["eeg.csv"])
    kept = eeg[eeg["subject"].isin(sorted(eeg["subject"].unique())[:people])]
    kept.groupby("subject").head(each).to_csv(files["eeg.csv"], index=False)
    return bw.Study.from_file(files["study.toml"])


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> bw.Study:
    return study_of(tmp_path_factory.mktemp("before"), 50, 80, 1)


@pytest.fixture(scope="module")
def planned(before: bw.Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned")
    before.plan(folder / "plan", rehearsals=0, force=True)
    return folder


@pytest.fixture(scope="module")
def updated(before: bw.Study, planned: Path) -> bw.Plan:
    more = study_of(planned / "more", 80, 120, 2)
    promised = planned / "promised"
    preregister(planned / "plan", promised, Pledge(monitored=True))
    return more.update(planned / "plan", planned / "next", before=before, registered=promised, rehearsals=0, force=True)


def test_an_update_says_what_came_what_it_taught_and_whether_to_go_on(updated: bw.Plan, planned: Path) -> None:
    assert updated.details is not None
    found = updated.details.update
    assert found is not None
    assert found.then == Held(labels=50, samples={"EEG": 80}, people={"EEG": 1})
    assert found.now == Held(labels=80, samples={"EEG": 240}, people={"EEG": 2})
    # 30 labels at 0.12; 160 samples, of 178 that were recorded at 0.05 in one session at 150; a new person at 40; setup 1000
    assert found.spent == pytest.approx(30 * 0.12 + 178 * 0.05 + 150 + 40 + 1000, abs=1e-9)
    assert found.remaining == pytest.approx(BUDGET - found.spent)
    assert updated.cost.total <= BUDGET - found.spent
    decisions = {"collect": "go_on", "toss_up": "toss_up", "labels_only": "labels_instead"}
    assert found.decision == decisions[str(updated.verdict.decision)]
    assert updated.verdict.sentence in found.sentence
    assert [look.decision for look in found.looks][-1] == found.decision
    assert [look.held.labels for look in found.looks] == [50, 80]
    assert found.reached is not None
    assert found.reached.as_forecast, "the data are of the same kind as the pilot's"
    assert len(found.gains) == 30
    assert found.monitored is not None
    assert found.monitored.labels == 30
    assert found.monitored.low <= CAP * np.mean(found.gains) <= found.monitored.high
    assert set(found.beliefs) == {"alignment", "latent_dimension", "snr:EEG", "explainable share"}
    page = (planned / "next" / "report.html").read_text()
    assert "Since the plan" in page
    assert 'id="update-desc"' in page
    assert bw.load_plan(planned / "next").details == updated.details
    assert len(repr(found).splitlines()) <= 20


def test_a_plan_without_a_folder_cannot_be_updated(updated: bw.Plan, before: bw.Study, tmp_path: Path) -> None:
    with pytest.raises(bw.BadInput, match="was not loaded from a folder"):
        updated.update(before, tmp_path)


def test_what_nobody_forecast_is_told_apart(before: bw.Study, planned: Path, tmp_path: Path) -> None:
    """New labels that say the opposite of the pilot's: what is reached leaves the plan's interval."""
    spoiled = study_of(tmp_path, 110, 80, 1, spoiled=50)
    earlier = bw.load_plan(planned / "plan")
    plan = earlier.update(spoiled, planned / "spoiled", before=before, rehearsals=0, force=True)
    assert plan.details is not None
    found = plan.details.update
    assert found is not None
    assert found.reached is not None
    assert not found.reached.as_forecast
    share = found.beliefs["explainable share"]
    assert (share.now.mean or 1.0) < (share.then.mean or 0.0)


def test_the_posterior_of_one_person_is_used_again(before: bw.Study, planned: Path) -> None:
    """A file holds no empty array, and nobody of a single person's pilot has a gain of their own."""
    saved = fit_study(before, before.config.study.seed, planned / "plan" / "posterior.nc")
    assert saved.seconds == {"reused": 0.0}
    assert saved.draws.people.shape[1] == 1
    assert np.isfinite(np.asarray(saved.draws.people)).all()
    again = before.plan(planned / "plan", rehearsals=0, force=True)
    assert "reused" in again.provenance.seconds


def test_money_is_counted_to_the_cent_and_limits_shrink(before: bw.Study, updated: bw.Plan, planned: Path) -> None:
    posterior = fit_study(before, before.config.study.seed, planned / "plan" / "posterior.nc")
    problem = problem_of(before.config, posterior)
    new = Held(labels=10, samples={"EEG": 900}, people={"EEG": 2})
    # 1,000 samples were recorded: two people come once each
    assert bill(problem, new) == Decimal("1.20") + 50 + 2 * 150 + 2 * 40 + 1000
    assert bill(problem, new, frozenset({"EEG"})) == Decimal("1.20") + 50 + 2 * 150 + 2 * 40
    assert bill(problem, Held(labels=0, samples={"EEG": 0}, people={"EEG": 0})) == 0
    ahead = remaining_problem(problem, new, frozenset({"EEG"}), Decimal(700))
    assert ahead.budget == 700
    assert ahead.task_limits.max_labels == 20_000 - 10
    assert ahead.modalities[0][1].max_subjects == 40 - 2
    assert ahead.modalities[0][0].setup == FREE
    assert problem.modalities[0][0].setup != FREE
    assert held_by(before) == Held(labels=50, samples={"EEG": 80}, people={"EEG": 1})


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
    """Over 300 new labels and two worlds: useful recordings gain, by more than five standard errors, and useless ones nothing."""
    gains = {}
    for useful in (True, False):
        found = [
            paired_gains(_pilot(25, useful=useful, seed=seed), _pilot(325, useful=useful, seed=seed)) for seed in (1, 2)
        ]
        assert all(len(own) == 300 for own in found)
        assert all(np.abs(own).max() <= 1.0 for own in found)
        gains[useful] = np.concatenate(found)
    assert gains[True].mean() > 5.0 * gains[True].std() / np.sqrt(len(gains[True]))
    assert not gains[False].any(), "no latent is confirmed, and the learner of labels alone knows the same stimuli"
    same = _pilot(25, useful=True, seed=1)
    assert paired_gains(same, same).size == 0, "a stimulus that had a label before is not new"
    fewer = replace(same, features=same.features[:, :-1])
    with pytest.raises(bw.BadInput, match="had 30 features"):
        paired_gains(same, fewer)


def test_the_rule_is_asked_of_enough_labels_only() -> None:
    assert monitored([0.1] * (FEWEST - 1), 0.01, 0.05) is None
    steady = monitored([0.2] * 200, 0.01, 0.05)
    assert steady is not None
    assert steady.decision == "enough"
    useless = monitored([-0.2] * 200, 0.01, 0.05)
    assert useless is not None
    assert useless.decision == "stop"
    assert "less than is worthwhile" in useless.sentence


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ((40, 80, 1), "the plan's pilot had 50 labels, the study has 40"),
        ((60, 70, 1), "EEG: the plan's pilot had 80 samples, the study has 70"),
        ((50, 80, 1), "nothing has come in since the plan"),
    ],
)
def test_less_than_the_pilot_is_refused(now: tuple[int, int, int], message: str, planned: Path, tmp_path: Path) -> None:
    with pytest.raises(bw.BadInput, match=message) as caught:
        update_study(planned / "plan", study_of(tmp_path, *now), planned / "refused")
    assert "\n" not in str(caught.value)
    assert not (planned / "refused").exists()


def test_what_else_cannot_be_updated(
    before: bw.Study, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = study_of(tmp_path / "more", 80, 120, 2)
    with pytest.raises(bw.BadInput, match="is not written over the plan"):
        update_study(planned / "plan", more, planned / "plan")
    for old, new, message in (
        ('name = "EEG"', 'name = "MEG"', "the plan is of 'EEG', the study of 'MEG'"),
        ("reuse_pilot = true", "reuse_pilot = false", "needs reuse_pilot = true"),
    ):
        study_of(tmp_path / message[:12], 80, 120, 2)
        file = tmp_path / message[:12] / "study.toml"
        file.write_text(file.read_text().replace(old, new))
        with pytest.raises(bw.BadInput, match=message):
            update_study(planned / "plan", bw.Study.from_file(file), tmp_path / "next")
    with pytest.raises(bw.BadInput, match=r"plan\.json does not exist"):
        update_study(tmp_path, more, tmp_path / "next")
    with pytest.raises(bw.BadInput, match="a finite number of at least 0"):
        update_study(planned / "plan", more, tmp_path / "next", Since(spent=float("nan")))
    with pytest.raises(bw.BadInput, match=r"between 0 and 0\.5"):
        update_study(planned / "plan", more, tmp_path / "next", Since(level=2.0))
    made_up = report_fixture.write(tmp_path / "made_up", "one")
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


def test_an_update_is_set_beside_what_was_promised(updated: bw.Plan, planned: Path, tmp_path: Path) -> None:
    """Labels and recordings within the purchase, the rule asked as registered; then each kind of deviation by itself."""
    assert updated.details is not None
    assert updated.details.update is not None
    kept = updated.details.update.registered
    plan = load(planned / "plan")
    record = record_of(planned / "promised", plan)
    assert kept is not None
    assert kept.sha256 == record.sha256
    planned_people = record.purchase.modalities["EEG"].subjects or 0
    assert kept.deviations == exceeded(record.purchase, Held(labels=30, samples={"EEG": 160}, people={"EEG": 1}))
    bought = Held(
        labels=record.purchase.n_task,
        samples={"EEG": record.purchase.modalities["EEG"].n_samples},
        people={"EEG": planned_people},
    )
    as_promised = Course(
        bought, monitored=True, level=0.05, worthwhile=record.decision_rule.worthwhile, decision="go_on"
    )
    assert against(record, as_promised).deviations == []
    assert against(record, as_promised).sentence.endswith("no deviation so far.")
    more = Held(
        labels=bought.labels + 1, samples={"EEG": bought.samples["EEG"] + 2}, people={"EEG": planned_people + 3}
    )
    for change, words in (
        ({"bought": more}, ["labels came in", "samples came in", "new people"]),
        ({"monitored": False}, ["was not asked at this look"]),
        ({"level": 0.1}, ["asked at level 0.1; registered is 0.05"]),
        ({"worthwhile": 0.02}, ["worthwhile gain is 0.02 now; registered is 0.01"]),
    ):
        found = against(record, replace(as_promised, **change)).deviations
        assert len(found) == len(words)
        assert all(word in sentence for word, sentence in zip(words, found, strict=True))
    fixed = record.model_copy(update={"stopping_rule": record.stopping_rule.model_copy(update={"kind": "fixed"})})
    early = replace(
        as_promised, bought=Held(labels=1, samples={"EEG": 0}, people={"EEG": 0}), decision="labels_instead"
    )
    assert len(against(fixed, early).deviations) == 1 + bool(bought.samples["EEG"])
    assert against(fixed, replace(early, monitored=False, decision="go_on")).deviations == []


def test_a_record_that_was_changed_or_is_of_another_plan_is_refused(
    planned: Path, updated: bw.Plan, tmp_path: Path
) -> None:
    plan = load(planned / "plan")
    shutil.copytree(planned / "promised", tmp_path / "changed")
    text = (tmp_path / "changed" / "preregistration.json").read_text()
    (tmp_path / "changed" / "preregistration.json").write_text(text.replace('"level": 0.05', '"level": 0.01', 1))
    with pytest.raises(bw.BadInput, match="changed after registration"):
        record_of(tmp_path / "changed", plan)
    other = plan.model_copy(
        update={"allocation": plan.allocation.model_copy(update={"n_task": plan.allocation.n_task + 1})}
    )
    with pytest.raises(bw.BadInput, match="another purchase than that of the plan"):
        record_of(planned / "promised", other)


def test_a_verdict_to_collect_asks_by_itself_whether_it_is_the_brain(
    updated: bw.Plan, planned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert updated.health.checks
    posterior = bw.Study.from_file(planned / "more" / "study.toml").fit(out=planned / "next")

    def plan() -> bw.Plan:
        return posterior.plan(constraints=lambda v: [v.samples["EEG"] >= 600], rehearsals=0, force=True)

    usual = plan()
    assert posterior.fitted.seconds == {"reused": 0.0}
    monkeypatch.setattr("brainworth.design.decision.rehearsed_plan.decide", lambda *_: "collect")
    monkeypatch.setattr("brainworth.design.decision.controls.SPLITS", 1)
    collects = plan()
    assert usual.verdict.decision != "collect"
    assert usual.details is not None
    assert collects.details is not None
    assert "controls" not in usual.details.model_fields_set
    assert collects.details.controls is not None
    own = collects.details.controls.modalities["EEG"]
    check = next(check for check in collects.health.checks if check.name == "controls (EEG)")
    assert check.sentence == own.sentence
    assert check.status == ("ok" if own.exceeds else "warn")
    assert ("teaches a learner more" if own.exceeds else "cannot be told from") in collects.verdict.sentence
