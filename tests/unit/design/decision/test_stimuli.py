"""Choosing stimuli from a posterior: against learners in simulated worlds, and the command from a file to a table."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from brainworth.design.cli import stimuli as command
from brainworth.design.cli.app import main
from brainworth.design.common.errors import BadInput
from brainworth.design.decision.stimuli import ChoiceOptions, StimulusChoice, choose
from brainworth.design.pilot.candidates import Candidates
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior import fit
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.stimulus_beliefs import Ground, label_beliefs, recording_beliefs, task_prior
from brainworth.design.study_file.config import Stimuli
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.learner.choice import Pool, greedy_choice
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.theory.system import Spectrum, System
from brainworth.models.worlds.simulate import SourceSize, StudySize, Truth, simulate_study
from sites import PEOPLE, exchanged, tables, write_site, write_study

P, STIMULI, LABELS = 30, 400, 40
CONFIG = {
    "study": {"title": "simulated"},
    "stimuli": {"table": "stimuli.csv"},
    "task": {"labels": "labels.csv", "kind": "regression", "cost_per_label": 1.0},
    "modality": [{"name": "EEG", "recordings": "EEG.csv", "new_subjects": True, "cost": {"per_sample": 0.1}}],
    "budget": {"total": 500.0},
    "priors": {"max_latents": 2},
}


def _system(alignment: tuple[float, float] = (0.3, 0.2)) -> System:
    return System(
        spectrum=Spectrum.power_law(P, 1.0),
        signal_variance=jnp.asarray(1.0),
        noise_variance=jnp.asarray(0.5),
        alignment=jnp.asarray(alignment),
        snr=jnp.asarray([[2.0, 1.0]]),
        channels=jnp.asarray([12.0]),
        brain_exponent=jnp.asarray(1.0),
        task_exponent=jnp.asarray(1.0),
    )


def _simulated(seed: int) -> tuple[PosteriorDraws, Pilot, Truth]:
    """A simulated pilot, and a posterior that knows the parameters (but neither the latents nor the task)."""
    system = _system()
    size = StudySize((SourceSize("EEG", 240, people=2),), LABELS, STIMULI)
    pilot, truth = simulate_study(system, size, seed)
    study = StudyData.from_arrays(
        pilot.features,
        (pilot.label_stimulus, pilot.label),
        {"EEG": {r.subject: (r.stimulus, r.in_memory) for r in pilot.recordings}},
        CONFIG,
    )
    scale = float(pilot.label.std())
    batch = replace(
        system,
        **{
            name: getattr(system, name)[None] / (scale**2 if name.endswith("variance") else 1.0)
            for name in ("signal_variance", "noise_variance", "alignment", "snr", "brain_exponent", "task_exponent")
        },
    )
    one, none = jnp.ones(1), jnp.zeros(1)
    amount = PilotSize(240.0 * one, 2.0 * one, one, none, jnp.asarray(float(LABELS)), one, none, one)
    return (
        PosteriorDraws(
            study, Draws(batch, jnp.ones((1, 1, MAX_PEOPLE))), amount, scale, ("EEG",), study.config.study.seed
        ),
        pilot,
        truth,
    )


@pytest.fixture(scope="module")
def world() -> tuple[PosteriorDraws, Pilot, Truth]:
    return _simulated(0)


def _frame(features: np.ndarray, study: StudyData) -> pd.DataFrame:
    table = pd.DataFrame(features, columns=list(study.names.features))
    table.insert(0, "stimulus", [f"new{i}" for i in range(len(table))])
    return table


def _new(count: int, truth: Truth, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, P)) @ truth.covariance_root


def test_chosen_labels_teach_a_learner_more_than_random_ones() -> None:
    """The posterior mean under the choice's own beliefs, executed where the truth is known; 8 worlds with 8 pools each."""
    found = np.array([_gains_in_a_world(seed, pools=8) for seed in range(8)])
    (gain, promised), error = found.mean(axis=0), found[:, 0].std(ddof=1) / np.sqrt(len(found))
    assert gain > 2.5 * error
    assert abs(gain - promised) < 3.0 * error


def _gains_in_a_world(seed: int, pools: int) -> tuple[float, float]:
    """Excess risk with 40 random labels less that with 40 chosen ones: executed, and as the beliefs promise."""
    posterior, _, truth = _simulated(seed)
    ground = Ground.of(posterior)
    beliefs = label_beliefs(ground, ground.target(None))
    rng = np.random.default_rng(seed + 200)
    executed: list[float] = []
    promised: list[float] = []
    for number in range(pools):
        features = _new(500, truth, 1000 * seed + number)
        columns = ground.columns(features)
        pool = Pool(columns, np.arange(500), np.ones(500), np.zeros(500, dtype=int))
        both = rng.permutation(500)[:40], greedy_choice(beliefs, pool, 40).groups
        labels = features @ truth.task_map + np.sqrt(truth.noise_variance) * rng.standard_normal(500)
        risks = [_risk_of_learner(posterior, ground, truth, (features[rows], labels[rows])) for rows in both]
        executed.append(risks[0] - risks[1])
        noise = beliefs.noise[np.zeros(40, dtype=int)]
        after = [beliefs.observed(columns[rows], noise).risk()[0] for rows in both]
        promised.append((after[0] - after[1]) * posterior.label_scale**2)
    return float(np.mean(executed)), float(np.mean(promised))


def _risk_of_learner(
    posterior: PosteriorDraws, ground: Ground, truth: Truth, more: tuple[np.ndarray, np.ndarray]
) -> float:
    """Excess risk (with intercept) of the posterior mean from the pilot's labels and more of them."""
    pilot = posterior.study.pilot
    system, people = ground.thinned(1)[0]
    prior = task_prior(ground, system, people)
    x = ground.columns(np.vstack([pilot.features[pilot.label_stimulus], more[0]]))
    y = (np.concatenate([pilot.label, more[1]]) - pilot.label.mean()) / posterior.label_scale
    kernel = x @ prior @ x.T + float(system.noise_variance) * np.eye(len(y))
    weights = prior @ x.T @ np.linalg.solve(kernel, y) * posterior.label_scale
    raw = ground.summary.basis.raw_coefficients(weights[1:])
    intercept = weights[0] + pilot.label.mean() - ground.summary.basis.mean @ raw
    return truth.excess_risk(raw) + float(intercept) ** 2


def test_the_table_is_ranked_and_adds_up(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    posterior, _, truth = world
    found = choose(posterior, _frame(_new(600, truth, 1), posterior.study), 30)
    assert [row.rank for row in found.rows] == list(range(1, 31))
    risk = [found.risk_today.mean, *(row.expected_risk for row in found.rows)]
    np.testing.assert_allclose([row.gain for row in found.rows], -np.diff(risk), rtol=1e-6)
    assert all(gain > 0 for gain in -np.diff(risk))
    assert found.risk_after.mean == pytest.approx(risk[-1])
    assert found.risk_after.mean < found.random.risk.mean < found.risk_today.mean
    assert found.random.saved.q05 > 0
    assert len(found.to_dataframe()) == 30
    assert "30 chosen labels" in found.sentence


def test_recordings_are_chosen_for_the_latents(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    posterior, _, truth = world
    pool = _frame(_new(300, truth, 2), posterior.study)
    found = choose(posterior, pool, 40, of="recordings")
    assert found.modality == "EEG"
    assert found.risk_after.mean < found.random.risk.mean < found.risk_today.mean
    again = choose(posterior, pool, 40, of="recordings", options=ChoiceOptions(repeats=3))
    assert again.risk_after.mean <= found.risk_after.mean * (1 + 1e-9)


def test_beliefs_about_recordings_are_those_of_the_theory(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    """What the pilot leaves unknown of the latents is near M_a of the closed form, and falls as it says with more."""
    from brainworth.models.theory.encoding import encode
    from brainworth.models.theory.system import Design

    posterior = world[0]
    ground = Ground.of(posterior)
    beliefs, seen = recording_beliefs(ground, ground.target(None), 0, 400, 1)
    assert seen.sum() == 240
    system = _system()
    design = Design(*(jnp.asarray(v) for v in ([240.0], 0.0, [2.0], [1.0], [0.0])))
    theory = float(encode(system, design).residual @ system.alignment)
    found = float(beliefs.weight @ beliefs.risk()) * posterior.label_scale**2
    assert found == pytest.approx(theory, rel=0.15)


def test_a_shift_moves_the_choice(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    posterior, _, truth = world
    pool = _new(500, truth, 3)
    far = _new(200, truth, 4) * 0.2 + 3.0 * pool[7]
    plain = choose(posterior, _frame(pool, posterior.study), 10)
    moved = choose(posterior, _frame(pool, posterior.study), 10, options=ChoiceOptions(test=far))
    direction = pool[7] / np.linalg.norm(pool[7])
    strength = [
        np.mean([abs(pool[int(row.stimulus[3:])] @ direction) for row in found.rows]) for found in (plain, moved)
    ]
    assert strength[1] > strength[0]


def test_pilot_stimuli_are_flagged(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    posterior, pilot, _ = world
    table = pd.DataFrame(pilot.features, columns=list(posterior.study.names.features))
    table.insert(0, "stimulus", list(posterior.study.names.stimuli))
    found = choose(posterior, table, 60)
    labelled = {posterior.study.names.stimuli[i] for i in pilot.label_stimulus}
    for row in found.rows:
        assert ("labelled" in row.in_pilot) == (row.stimulus in labelled)


BAD = {
    "missing feature": (lambda t: t.drop(columns="feature_3"), "feature_3"),
    "empty cell": (lambda t: t.assign(feature_2=np.nan), "empty or NaN"),
    "id twice": (lambda t: t.assign(stimulus="a"), "already in"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_candidates(world: tuple[PosteriorDraws, Pilot, Truth], case: str) -> None:
    posterior, _, truth = world
    table = _frame(_new(30, truth, 5), posterior.study)
    change, message = BAD[case]
    name = next((n for n in table.columns if n.endswith("3")), "")
    table = table.rename(columns={name: "feature_3"}) if name == "feature_3" else table
    with pytest.raises(BadInput, match=message):
        choose(posterior, change(table), 5)


def test_bad_wishes(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    posterior, _, truth = world
    table = _frame(_new(30, truth, 5), posterior.study)
    with pytest.raises(BadInput, match="30 measurements, 31 are asked for"):
        choose(posterior, table, 31)
    with pytest.raises(BadInput, match="at least one"):
        choose(posterior, table, 0)
    with pytest.raises(BadInput, match="no modality 'EGG'"):
        choose(posterior, table, 5, of="recordings", options=ChoiceOptions(modality="EGG"))
    with pytest.raises(BadInput, match="smallest group has 30"):
        choose(posterior, table.assign(group="all"), 5)
    with pytest.raises(BadInput, match="the price is -1"):
        choose(posterior, table.assign(money=-1.0), 5, options=ChoiceOptions(price_column="money"))


def test_dear_stimuli_are_avoided(world: tuple[PosteriorDraws, Pilot, Truth]) -> None:
    posterior, _, truth = world
    table = _frame(_new(200, truth, 6), posterior.study)
    table["money"] = np.where(np.arange(200) % 2, 10.0, 1.0)
    found = choose(posterior, table, 20, options=ChoiceOptions(price_column="money"))
    assert np.mean([row.price for row in found.rows]) < 2.0
    assert found.rows[-1].spent == pytest.approx(sum(row.price for row in found.rows))


def test_the_command_writes_table_and_figure(
    world: tuple[PosteriorDraws, Pilot, Truth],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    posterior, _, truth = world
    monkeypatch.setattr(fit, "fit_study", lambda *_, **__: posterior)
    monkeypatch.setattr("brainworth.design.pilot.study.StudyData.from_file", lambda _: posterior.study)
    _frame(_new(100, truth, 8), posterior.study).to_csv(tmp_path / "pool.csv", index=False)
    given = ["stimuli", "study.toml", "--candidates", str(tmp_path / "pool.csv"), "--n", "12"]
    assert main([*given, "--out", str(tmp_path / "chosen.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader((tmp_path / "chosen.csv").read_text().splitlines()))
    assert [row["stimulus"] for row in rows] == [row["stimulus"] for row in told["rows"]]
    assert (tmp_path / "chosen.svg").read_bytes().startswith(b"<?xml")
    assert main([*given, "--out", str(tmp_path / "chosen.txt")]) == 2
    assert "ends in .csv" in capsys.readouterr().err
    assert main([*given[:2], "--candidates", "nowhere.csv", "--n", "2", "--out", str(tmp_path / "c.csv")]) == 2
    assert "does not exist" in capsys.readouterr().err
    alone = ["stimuli", "study.toml", "--n", "5", "--out", str(tmp_path / "own.csv")]
    assert main(alone) == 2
    assert "no stimuli to choose from" in capsys.readouterr().err
    assert not (tmp_path / "own.csv").exists()
    own = Candidates.unlabelled(posterior.study.pilot, posterior.study.names)
    named = replace(posterior.study, candidates=own)
    monkeypatch.setattr("brainworth.design.pilot.study.StudyData.from_file", lambda _: named)
    assert main([*alone, "--quiet"]) == 0
    chosen = {row["stimulus"] for row in csv.DictReader((tmp_path / "own.csv").read_text().splitlines())}
    assert chosen <= set(own.stimulus)
    assert main([*alone, "--price-column", "money"]) == 2
    capsys.readouterr()
    command.show_choice(_choice(posterior, truth))
    assert "random ones" in capsys.readouterr().out


def _choice(posterior: PosteriorDraws, truth: Truth) -> StimulusChoice:
    return choose(
        posterior, Candidates.from_frame(_frame(_new(50, truth, 9), posterior.study), posterior.study.names.features), 5
    )


def test_keys_of_candidates_may_be_called_as_in_the_table_of_stimuli(
    world: tuple[PosteriorDraws, Pilot, Truth], tmp_path: Path
) -> None:
    """[stimuli] columns and missing count for candidates, too; a pool that calls its keys by their own names is read as well."""
    posterior, _, truth = world
    config = posterior.study.config
    given = Stimuli(table="stimuli.csv", columns={"word": "stimulus", "sentence": "group"}, missing=[-999.0])
    study = replace(posterior.study, config=config.model_copy(update={"stimuli": given}))
    table = _frame(_new(20, truth, 5), study)
    table.iloc[3, 1] = -999
    table.insert(1, "sentence", [f"s{i // 2}" for i in range(20)])
    features = study.names.features
    table.rename(columns={"stimulus": "word"}).to_csv(tmp_path / "named.csv", index=False)
    named = Candidates.from_file(tmp_path / "named.csv", features, given=given)
    assert len(named) == 19
    assert named.group[:2] == ("s0", "s0")
    assert any("left out" in note for note in named.notes)
    own = table.rename(columns={"sentence": "group"})
    assert Candidates.from_frame(own, features, given=given).stimulus == named.stimulus
    found = choose(replace(posterior, study=study), table.rename(columns={"stimulus": "word"}), 4)
    assert {row.group for row in found.rows} <= set(named.group)
    assert any("left out" in remark for remark in found.remarks)
    with pytest.raises(BadInput, match=r"\[stimuli\] columns"):
        Candidates.from_frame(table.rename(columns={"stimulus": "target"}), features, given=given)


def test_stimuli_are_chosen_where_recordings_are_known_by_summaries(tmp_path: Path) -> None:
    """Summaries of two sites, instead of their recordings, lead to the choice of the pooled recordings."""
    data = tables()
    people = [{"EEG": ("p1", "p2"), "fMRI": ("p1",)}, {"EEG": ("p3", "p4"), "fMRI": ("p3", "q1")}]
    (tmp_path / "plan").mkdir()
    sites = [write_site(tmp_path / name, data, held) for name, held in zip("ab", people, strict=True)]
    summaries = [path.name for path in exchanged(tmp_path / "plan", sites)]
    blocks = [{"name": name, "cost": {"per_sample": 0.5}, "summaries": summaries} for name in PEOPLE]
    studies = (
        StudyData.from_file(write_study(tmp_path / "plan", data, blocks)),
        StudyData.from_file(write_site(tmp_path / "pooled", data, PEOPLE)),
    )
    pool = data["stimuli"].assign(stimulus=[f"new {i}" for i in range(len(data["stimuli"]))])
    for of in ("labels", "recordings"):
        together, pooled = (
            choose(
                _two_modalities(study),
                pool,
                12,
                of=of,
                options=ChoiceOptions(modality="EEG" if of == "recordings" else None),
            )
            for study in studies
        )
        assert [row.stimulus for row in together.rows] == [row.stimulus for row in pooled.rows]
        assert together.risk_after.mean == pytest.approx(pooled.risk_after.mean, rel=1e-3)
    assert _two_modalities(studies[0]).study.pilot.recordings[0].stimulus.size > 0


def _two_modalities(study: StudyData) -> PosteriorDraws:
    """A posterior of the sites' study that knows its parameters."""
    latents = study.config.priors.max_latents
    energy = np.zeros(latents)
    energy[:2] = 0.4, 0.2
    system = System(
        spectrum=Spectrum.power_law(6, 1.0),
        signal_variance=jnp.ones(1),
        noise_variance=jnp.ones(1),
        alignment=jnp.asarray(energy)[None],
        snr=jnp.asarray([energy, energy])[None],
        channels=jnp.asarray([9.0, 14.0]),
        brain_exponent=jnp.ones(1),
        task_exponent=jnp.ones(1),
    )
    one, none = jnp.ones(2), jnp.zeros(2)
    size = PilotSize(400.0 * one, 3.0 * one, one, none, jnp.asarray(110.0), one, none, one)
    return PosteriorDraws(
        study,
        Draws(system, jnp.ones((1, 2, MAX_PEOPLE))),
        size,
        1.0,
        study.config.modality_names,
        study.config.study.seed,
    )
