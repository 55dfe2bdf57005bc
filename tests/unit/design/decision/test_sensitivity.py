"""Sensitivity of a decision on a small made-up posterior: each number against a slower or an exact route."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from brainworth.design.allocation import ModalityPurchase, NewData, Problem, TaskLimits
from brainworth.design.allocation.costs import ModalityCost, ModalityLimits, TaskCost
from brainworth.design.allocation.prices import Price
from brainworth.design.common.records import with_fields
from brainworth.design.common.summaries import Summary
from brainworth.design.decision.records.findings import PersonLeftOut, PowerScaled
from brainworth.design.decision.records.plan import ROUNDING, Verdict
from brainworth.design.decision.sensitivity.decision import Decision, Stakes, advantage
from brainworth.design.decision.sensitivity.local import elasticities
from brainworth.design.decision.sensitivity.money import UtilityOfMoney
from brainworth.design.decision.sensitivity.parameters import between_people, columns, draws_at, median_system, replaced
from brainworth.design.decision.sensitivity.pilots import Basis, LargerPilot, bought, experiment, larger_pilots
from brainworth.design.decision.sensitivity.prices import session_price, unit_prices
from brainworth.design.decision.sensitivity.regime import LEAST, regime
from brainworth.design.decision.sensitivity.robustness import power_scaled, sentence
from brainworth.design.decision.sensitivity.sobol import sobol, sobol_share
from brainworth.design.decision.sensitivity.thresholds import thresholds
from brainworth.design.decision.sensitivity.tornado import centre, tornado
from brainworth.design.decision.sensitivity.voi import value_of_information
from brainworth.design.performance.purchase import WORST
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.models.forecast.forecast import MAX_PEOPLE, Draws, PilotSize
from brainworth.models.theory.quadrature import compress
from brainworth.models.theory.system import Spectrum, System
from price_lists import schedule

N_DRAWS = 120
NAMES = ("EEG", "fMRI")


@pytest.fixture(scope="module")
def surface() -> PosteriorSurface:
    rng = np.random.default_rng(4)
    total = rng.beta(3.0, 2.0, N_DRAWS)
    part = rng.uniform(0.5, 0.9, N_DRAWS)
    system = System(
        spectrum=compress(Spectrum.power_law(150, 0.5)),
        signal_variance=jnp.ones(N_DRAWS),
        noise_variance=jnp.asarray(rng.lognormal(1.2, 0.3, N_DRAWS)),
        alignment=jnp.asarray(np.column_stack([total * part, total * (1 - part)])),
        snr=jnp.asarray(rng.lognormal(0.5, 0.4, (N_DRAWS, 2, 2))),
        channels=jnp.asarray([30.0, 50.0]),
        brain_exponent=jnp.asarray(rng.normal(1.0, 0.2, N_DRAWS)),
        task_exponent=jnp.ones(N_DRAWS),
    )
    gains = np.exp(0.3 * rng.standard_normal((N_DRAWS, 2, MAX_PEOPLE)))
    people = np.cumsum(gains, axis=2) / np.arange(1, MAX_PEOPLE + 1)
    two = jnp.full(2, 2.0)
    size = PilotSize(
        samples=jnp.asarray([150.0, 0.0]),
        subjects=two,
        repeats=two / 2.0,
        shared=0.0 * two,
        labels=jnp.asarray(60.0),
        new_subjects=jnp.ones(2),
        new_shared=jnp.zeros(2),
        usable=jnp.asarray([0.9, 1.0]),
    )
    return PosteriorSurface(NAMES, Draws(system, jnp.asarray(people)), size)


@pytest.fixture(scope="module")
def problem() -> Problem:
    eeg = ModalityCost("EEG", per_sample=schedule([0.6, 1.0]), per_subject=Price.of(20))
    fmri = ModalityCost("fMRI", per_session=schedule(200), samples_per_session=100, setup=Price.of(100))
    limits = ModalityLimits(max_samples=20_000, max_subjects=10)
    return Problem(
        TaskCost(schedule(4.0)),
        ((eeg, limits), (fmri, limits)),
        budget=Decimal(2000),
        task_limits=TaskLimits(max_labels=5000),
    )


@pytest.fixture(scope="module")
def decision(problem: Problem, surface: PosteriorSurface) -> Decision:
    none = ModalityPurchase(0, 0, 0, 0, 1)
    plan = NewData(240, {"EEG": ModalityPurchase(1000, 2, 2, 1000, 1), "fMRI": none})
    return Decision.of(problem, surface, plan)


def test_the_decision_holds_feasible_purchases_once(decision: Decision) -> None:
    assert decision.feasible.all()
    assert decision.designs.n_task[0] == 240
    assert not decision.designs.stimuli[1].any()
    assert decision.designs.n_task[1] == 500
    rows = np.column_stack([decision.designs.n_task, decision.designs.stimuli, decision.designs.subjects])
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert decision.problem.cents(decision.designs).max() <= 200_000


def test_a_parameter_is_replaced_and_nothing_else(surface: PosteriorSurface) -> None:
    before = columns(surface.draws, NAMES)
    assert {"alignment", "snr:EEG", "snr:fMRI", "label_noise"} <= set(before)
    for name in before:
        after = columns(replaced(surface.draws, NAMES, {name: 0.4}), NAMES)
        for other, column in after.items():
            np.testing.assert_allclose(column, 0.4 if other == name else before[other], rtol=1e-12)
    with pytest.raises(KeyError):
        replaced(surface.draws, NAMES, {"nothing": 1.0})


def test_an_empty_profile_is_spread_evenly(surface: PosteriorSurface) -> None:
    empty = replaced(surface.draws, NAMES, {"alignment": 0.0})
    filled = np.asarray(replaced(empty, NAMES, {"alignment": 0.6}).system.alignment)
    np.testing.assert_allclose(filled, 0.3)


def test_the_median_system_has_the_medians(surface: PosteriorSurface) -> None:
    middle = columns(median_system(surface.draws, NAMES), NAMES)
    for name, column in columns(surface.draws, NAMES).items():
        assert middle[name] == pytest.approx([np.median(column)])


def test_tornado_bars_are_the_forecast_at_the_ends(decision: Decision) -> None:
    bars = {bar["parameter"]: bar for bar in tornado(decision)}
    assert set(bars) == {
        *("alignment", "snr:EEG", "snr:fMRI", "people:EEG", "people:fMRI", "label_noise", "brain_exponent")
    }, "task_exponent is certain"
    draws = decision.surface.draws
    middle = median_system(draws, NAMES)
    low, high = np.quantile(columns(draws, NAMES)["alignment"], [0.1, 0.9])
    bar = bars["alignment"]
    assert (bar["low"], bar["high"]) == (low, high)
    at = [decision.under(replaced(middle, NAMES, {"alignment": end})) for end in (low, high)]
    np.testing.assert_allclose([bar["utility_low"], bar["utility_high"]], [at[0][0, 0], at[1][0, 0]], rtol=1e-9)
    np.testing.assert_allclose([bar["task_only_low"], bar["task_only_high"]], [at[0][1, 0], at[1][1, 0]], rtol=1e-9)
    assert bars["label_noise"]["utility_low"] > centre(decision)["plan"] > bars["label_noise"]["utility_high"]


@pytest.mark.parametrize("shifts", [(), (0.5, 2.0)])
def test_elasticities_are_finite_differences(decision: Decision, shifts: tuple[float, ...]) -> None:
    """Of several shifts, under the one that is worst for the plan."""
    decision = replace(decision, surface=replace(decision.surface, shifts=shifts))
    found = {row["parameter"]: row["elasticity"] for row in elasticities(decision)}
    middle = median_system(decision.surface.draws, NAMES)
    base = decision.under(middle)[0, 0]
    for name in ("alignment", "snr:EEG", "people:EEG", "label_noise", "brain_exponent"):
        value = columns(middle, NAMES)[name][0]
        ends = [decision.under(replaced(middle, NAMES, {name: value * f}))[0, 0] for f in (1 - 1e-4, 1 + 1e-4)]
        assert found[name] == pytest.approx((ends[1] - ends[0]) / 2e-4 / base, rel=2e-3, abs=1e-5)


def test_sobol_indices_of_one_doubt_are_one(decision: Decision) -> None:
    """Where only the label noise is uncertain, it explains all of the forecast's variance."""
    surface = decision.surface
    same = draws_at(surface.draws, np.zeros(N_DRAWS, dtype=np.int64))
    noise = columns(surface.draws, NAMES)["label_noise"]
    one = replace(decision, surface=replace(surface, draws=replaced(same, NAMES, {"label_noise": noise})))
    bars = {bar["parameter"]: bar for bar in sobol(one, seed=0, samples=256)}
    assert set(bars) == {"label_noise", "everything_else"}
    assert bars["label_noise"]["first"] == pytest.approx(1.0, abs=0.05)
    assert bars["label_noise"]["total"] == pytest.approx(1.0, abs=0.05)
    assert bars["everything_else"]["total"] == pytest.approx(0.0, abs=1e-9)


def test_sobol_indices_rank_and_repeat(decision: Decision) -> None:
    bars = sobol(decision, seed=0, samples=256)
    assert [b["total"] for b in bars] == sorted((b["total"] for b in bars), reverse=True)
    assert all(bar["first"] <= bar["total"] + bar["first_error"] + bar["total_error"] for bar in bars)
    assert sum(bar["first"] for bar in bars) < 1.0 + sum(bar["first_error"] for bar in bars)
    assert bars == sobol(decision, seed=0, samples=256)


def test_the_decision_flips_at_its_thresholds(decision: Decision) -> None:
    found = {row["parameter"]: row for row in thresholds(decision, seed=0)}
    flips = {name for name, row in found.items() if row["value"] is not None}
    assert {"alignment", "price_of_a_brain_sample", "price_of_a_label"} <= flips
    draws = draws_at(decision.surface.draws, np.arange(N_DRAWS)[slice(0, N_DRAWS, 1)])
    for name in flips & {"alignment", "snr:EEG", "snr:fMRI", "label_noise"}:
        value = found[name]["value"]
        sides = [decision.advantage(decision.under(replaced(draws, NAMES, {name: value * f}))) for f in (0.97, 1.03)]
        assert np.sign(sides[0]) != np.sign(sides[1]), name
    believed = columns(decision.surface.draws, NAMES)["alignment"]
    assert found["alignment"]["probability_beyond"] == pytest.approx((believed < found["alignment"]["value"]).mean())
    prices = unit_prices(decision, seed=0)
    assert prices is not None
    factor = found["price_of_a_brain_sample"]["value"] / prices.brain
    gains = [decision.at_prices(factor * f) for f in (0.9, 1.1)]
    signs = [advantage(g.problem, g.designs, g.under(), labels=0) > 0 for g in gains]
    assert signs == [True, False], "brain data pay only below the threshold"
    assert "USD" in found["price_of_a_brain_sample"]["sentence"]
    beyond = [row["probability_beyond"] for row in found.values()]
    assert beyond == sorted(beyond, reverse=True), "the likeliest to be crossed comes first"


def test_thresholds_where_only_what_brains_respond_to_counts(decision: Decision) -> None:
    """Without the rest, nothing is left to explain at an alignment of zero: a plan with ``shift = 0`` ended in a fault."""
    blind = replace(decision, surface=replace(decision.surface, shift=0.0))
    found = {row["parameter"]: row for row in thresholds(blind, 0)}
    assert found["alignment"].believed is not None
    none = replaced(draws_at(blind.surface.draws, np.arange(4)), NAMES, {"alignment": 0.0})
    np.testing.assert_array_equal(blind.under(none), WORST)


def test_the_price_of_a_scan_hour_flips_the_decision(problem: Problem, surface: PosteriorSurface) -> None:
    """Only sessions and hours get dearer: people and set-up keep their prices."""
    only = replace(problem, modalities=problem.modalities[1:])
    alone = PosteriorSurface(
        ("fMRI",),
        Draws(replace(surface.draws.system, snr=surface.draws.system.snr[:, 1:], channels=jnp.asarray([50.0])),
              surface.draws.people[:, 1:]),
        jax.tree.map(lambda leaf: leaf[1:] if leaf.ndim else leaf, surface.size),
    )  # fmt: skip
    choice = Decision.of(only, alone, NewData(350, {"fMRI": ModalityPurchase(200, 1, 2, 200, 1)}))
    row = next(r for r in thresholds(choice, 0, {"fMRI": 2.0}) if r["parameter"] == "price_of_hour:fMRI")
    assert row["believed"]["q50"] == pytest.approx(100.0), "a session of two hours is charged 200"
    assert row["value"] is not None
    factors = [row["value"] * f / 100.0 for f in (0.93, 1.07)]
    gains = []
    for factor in factors:
        there = choice.at_session_price(factor, 0)
        gains.append(advantage(there.problem, there.designs, there.under(), labels=0) > 0)
        fee = there.problem.modalities[0][0]
        assert (fee.setup, fee.per_subject) == (only.modalities[0][0].setup, only.modalities[0][0].per_subject)
    assert gains == [True, False]
    unknown = {r["parameter"] for r in thresholds(choice, 0)}
    assert "price_of_session:fMRI" in unknown
    cost, limits = only.modalities[0]
    hourly = replace(
        cost, per_session=schedule(0), per_hour=Price.of(80), minutes_per_session=95, billing_quantum_minutes=30
    )
    billed = replace(choice, problem=replace(only, modalities=((hourly, limits),)))
    told = session_price(billed, 0, seed=0, hours=95 / 60)
    assert told is not None
    assert (told.unit, told.charged) == ("hour", pytest.approx(80.0)), (
        "the tariff, though 120 minutes are billed for 95"
    )


def test_dearer_labels_and_cheaper_brain_samples_are_the_same_change(decision: Decision) -> None:
    """Only the ratio of prices and the money in units of a price matter: all prices and the budget times 2 is no change."""
    twice = decision.at_prices(2.0, 2.0)
    rich = replace(twice.problem, budget=Decimal(4000))
    same = replace(decision, problem=replace(decision.problem, budget=Decimal(2000)))
    np.testing.assert_array_equal(rich.cents(decision.designs), 2 * same.problem.cents(decision.designs))


def test_todays_prices_keep_the_plan_in_view(decision: Decision) -> None:
    """At unchanged prices brain data are worth at least what the plan, its change spent on labels, makes of them."""
    today = decision.at_prices(1.0)
    utilities = decision.problem.utility(decision.under())
    assert advantage(today.problem, today.designs, today.under(), labels=0) >= utilities[0] - utilities[1] - 1e-9


def test_unit_prices_are_those_of_the_plan(decision: Decision) -> None:
    prices = unit_prices(decision, seed=0)
    assert prices is not None
    assert prices.brain == pytest.approx((1000 * 1.0 + 2 * 20) / 1000)
    assert prices.label == pytest.approx(4.0)
    assert prices.brain_factor.max() > 1.0 > np.median(prices.brain_factor), "charged at the upper end of the interval"
    np.testing.assert_allclose(prices.label_factor, 1.0)
    fmri = unit_prices(decision, seed=0, modality=1)
    assert fmri is not None
    assert fmri.brain > 2.0


def test_regime_has_no_brain_data_without_alignment(decision: Decision) -> None:
    area = regime(decision, seed=0)
    assert area is not None
    share = np.array(area["share"])
    assert share.shape == (len(area["alignment"]), len(area["price_ratio"]))
    assert not share[0].any(), "no alignment, nothing to gain"
    gain = np.array(area["gain"])
    assert ((gain > 0) >= (share > 0)).all()
    # Cheaper recordings cannot make them less worth having; the spread of purchases that is tried is a grid, hence the slack.
    assert (np.diff(gain, axis=1) < 0.01).all()
    assert (gain[-1, :-1] > gain[-1, 1:] - 0.005).all()
    few, many = (np.array(panel["gain"]) for panel in area["panels"])
    assert few.mean() < gain.mean() < many.mean(), "noisier labels leave more for brain data to teach"
    assert len(area["posterior_noise"]) == len(area["posterior"])
    assert share[-1, 0] >= LEAST
    assert not share[:, -1].all(), "too dear for some alignment"
    assert ((share == 0) | (share >= LEAST)).all()
    assert len(area["posterior"]) == N_DRAWS


def test_value_of_information_obeys_its_laws(decision: Decision) -> None:
    pilot = decision.surface.size
    worth = value_of_information(decision, Basis(pilot, reuse=True, factors=(1.0,)), seed=0)
    assert worth["evpi"] > 0
    names = {row["parameter"] for row in worth["evppi"]}
    assert {"alignment", "snr:EEG", "people:EEG", "label_noise", "all signal-to-noise ratios"} <= names
    assert all(0 <= row["value"] <= worth["evpi"] for row in worth["evppi"])
    assert {"labels", "samples of EEG", "people of EEG", "labels and EEG"} <= {row["kind"] for row in worth["evsi"]}
    for row in worth["evsi"]:
        assert 0 <= row["value"] <= row["most"] <= worth["evpi"]
        assert row["net"] <= row["value"] + 4 * (row["se"] + row["net_se"])  # false alarm under 1 in 10,000 each
        assert 0 < row["cost"] <= 2000
    assert worth == value_of_information(decision, Basis(pilot, reuse=True, factors=(1.0,)), seed=0)


def test_value_grows_with_the_set_of_parameters(decision: Decision) -> None:
    """Exactly, not within error: who knows more can follow any policy of who knows less."""
    worth = value_of_information(decision, Basis(decision.surface.size, reuse=True, factors=(0.5, 2.0)), seed=1)
    value = {row["parameter"]: row["value"] for row in worth["evppi"]}
    assert value["all signal-to-noise ratios"] >= max(value["snr:EEG"], value["snr:fMRI"])
    for row in worth["evsi"]:
        if row["kind"] == "labels and EEG":
            assert row["most"] >= max(value["alignment"], value["snr:EEG"], value["people:EEG"])


def test_best_sizes_are_the_best_of_their_kind(decision: Decision) -> None:
    worth = value_of_information(decision, Basis(decision.surface.size, reuse=True), seed=0)
    for best in worth["best_sizes"]:
        same = [row for row in worth["evsi"] if row["kind"] == best["kind"]]
        assert best["net"] == max(row["net"] for row in same)
    assert len({row["factor"] for row in worth["evsi"] if row["kind"] == "labels"}) >= 4
    if worth["best"] is not None:
        assert worth["best"]["net"] == worth["evsi"][0]["net"] > 3 * worth["best"]["net_se"]


def _shown(decision: Decision, larger: LargerPilot) -> tuple[float, tuple[str, ...]]:
    """Noise of what a pilot shows of new people of EEG, and what it informs about."""
    design = bought(larger, decision.problem)
    assert design is not None
    found = experiment(decision, Basis(decision.surface.size, reuse=True), design, decision.believed)
    assert found is not None
    return float(found[0].noise[0]), found[1]


def test_more_people_teach_what_more_recordings_of_few_cannot(decision: Decision) -> None:
    """However long one person is recorded, the spread between people remains; it halves with twice the people."""
    samples = [
        _shown(decision, LargerPilot("samples of EEG", 1.0, samples={"EEG": n}, people={"EEG": 1}))[0]
        for n in (200, 1500)
    ]
    people = [
        _shown(decision, LargerPilot("people of EEG", 1.0, samples={"EEG": 1500}, people={"EEG": k}))[0]
        for k in (1, 2, 4)
    ]
    draws = decision.surface.draws
    fresh = columns(draws, NAMES)["snr:EEG"] * columns(draws, NAMES)["people:EEG"]
    floor = between_people(draws, 0) / np.var(np.log(fresh))
    assert between_people(draws, 0) == pytest.approx(0.09, rel=0.05), "gains have a spread of 0.3"
    assert samples[0] > samples[1] > floor
    assert people[0] == samples[1]
    assert people[0] - people[1] == pytest.approx(floor / 2)
    assert people[1] - people[2] == pytest.approx(floor / 4)
    assert {"snr:EEG", "people:EEG"} <= set(_shown(decision, LargerPilot("", 1.0, samples={"EEG": 200}))[1])


def test_people_who_return_teach_nothing_of_new_ones(decision: Decision) -> None:
    returning = replace(decision.surface.size, new_subjects=jnp.zeros(2))
    problem = replace(
        decision.problem,
        modalities=tuple(
            (cost, replace(limits, new_subjects=False, pilot_subjects=2))
            for cost, limits in decision.problem.modalities
        ),
    )
    closed = replace(decision, surface=replace(decision.surface, size=returning), problem=problem)
    assert not any(name.startswith("people:") for name in closed.believed)
    kinds = {larger.kind for larger in larger_pilots(Basis(returning, reuse=True), problem)}
    assert not any(kind.startswith("people") for kind in kinds)
    assert "people:EEG" not in _shown(closed, LargerPilot("", 1.0, samples={"EEG": 200}))[1]


def test_recordings_let_more_be_seen_of_the_alignment(decision: Decision) -> None:
    """Better learned latents show more of the labels there are; labels show more still, the more of them the better."""
    basis = Basis(decision.surface.size, reuse=True)

    def noise(larger: LargerPilot) -> float:
        design = bought(larger, decision.problem)
        assert design is not None
        found = experiment(decision, basis, design, decision.believed)
        assert found is not None
        column = decision.believed["alignment"]
        return float(found[0].noise[[np.array_equal(c, column) for c in found[0].parameters.T].index(True)])

    eeg, labels = LargerPilot("", 1.0, samples={"EEG": 300}), LargerPilot("labels", 1.0, labels=60)
    both = LargerPilot("", 1.0, labels=60, samples={"EEG": 300})
    assert noise(labels) == pytest.approx(1.0), "as many labels again"
    assert noise(both) < noise(labels) < noise(eeg) < np.inf


def test_a_gain_is_worth_the_money_that_buys_it(decision: Decision) -> None:
    money = UtilityOfMoney.of(decision)
    assert (np.diff(money.utilities) >= 0).all()
    assert money.worth(0.0) == 0.0
    at = np.flatnonzero(money.budgets == 2500.0)[0]
    gain = money.utilities[at] - np.interp(2000.0, money.budgets, money.utilities)
    assert gain > 0
    assert money.worth(float(gain)) == pytest.approx(500.0)
    assert money.worth(-0.01) == pytest.approx(-money.worth(0.01), rel=0.8)  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    assert money.worth(5.0) is None, "no money buys an R² above 1"


def test_a_pilot_that_is_thrown_away_costs_more(decision: Decision) -> None:
    """The wrong twin of the reuse rule: without reuse, the same pilots must lose more on balance."""
    pilot = decision.surface.size
    kept, lost = (
        {
            row["label"]: row
            for row in value_of_information(decision, Basis(pilot, reuse=reuse, factors=(1.0,)), seed=0)["evsi"]
        }
        for reuse in (True, False)
    )
    labels = [name for name in set(kept) & set(lost) if name.endswith("labels")]
    assert labels
    assert all(lost[name]["net"] < kept[name]["net"] for name in labels)


def test_a_known_system_teaches_nothing(decision: Decision) -> None:
    one = replace(decision.surface, draws=median_system(decision.surface.draws, NAMES))
    known = replace(decision, surface=one)
    assert tornado(known) == []
    assert sobol(known, seed=0) == []
    worth = value_of_information(known, Basis(one.size, reuse=True), seed=0)
    assert (worth["evpi"], worth["evppi"], worth["evsi"]) == (0.0, [], [])
    assert {row["probability_beyond"] for row in thresholds(known, seed=0) if row["parameter"] == "alignment"} <= {
        0.0,
        1.0,
    }


def test_power_scaling_of_a_flat_density_changes_nothing(decision: Decision) -> None:
    usual = decision.advantage(decision.under())
    for row in power_scaled(decision, {"prior": np.zeros(N_DRAWS)}):
        assert row["advantage"] == pytest.approx(usual)
        assert row["effective_draws"] == pytest.approx(N_DRAWS)
        assert not row["flips"]


def test_power_scaling_follows_the_evidence_to_the_optimum(decision: Decision) -> None:
    """A density that rises with alignment: to a higher power brain data gain, to a lower one they lose."""
    aligned = np.asarray(decision.surface.draws.system.alignment).sum(axis=1)
    low, high = power_scaled(decision, {"brain": 20.0 * aligned})
    assert (low["power"], high["power"]) == (0.8, 1.25)
    assert low["advantage"] < decision.advantage(decision.under()) < high["advantage"]
    best = int(np.argmax(decision.problem.utility(decision.under())))
    assert 0.0 <= low["brain_share"] <= 1.0
    assert decision.brain_share[best] > 0.0
    strong = power_scaled(decision, {"brain": -4000.0 * aligned})[1]
    assert strong["effective_draws"] < 10
    assert "few draws" in sentence([strong], [])


def test_what_flips_is_named() -> None:
    row = PowerScaled(part="prior", power=0.8, flips=True, effective_draws=500.0)
    person = PersonLeftOut(modality="EEG", subject="p7", flips=True)
    assert sentence([row], [person]) == "The decision changes with the prior to the power 0.8, leaving out p7 (EEG)."
    assert "changes the decision" in sentence([with_fields(row, flips=False)], [with_fields(person, flips=False)])
    assert sentence([], []) == ""


def test_sobol_indices_of_the_share_are_shares(decision: Decision) -> None:
    bars = sobol_share(decision, 0, samples=64)
    assert {bar["parameter"] for bar in bars} >= {"alignment", "label_noise", "everything_else"}
    assert bars[0]["total"] > 0.1
    assert all(bar["first"] <= bar["total"] + 0.5 for bar in bars)


class Posted:
    """A team whose tasks go through pickles, as to another process, the last one first."""

    def results(
        self,
        function: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        common: tuple[Any, ...] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Iterator[Any]:
        sent = [pickle.dumps((function, common, task)) for task in tasks]
        done: list[Any] = []
        for message in reversed(sent):
            work, shared, own = pickle.loads(message)
            done.insert(0, work(*shared, *own))
            if tell is not None:
                tell(len(done), len(sent))
        yield from done


def test_who_works_changes_no_bit(decision: Decision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brainworth.design.decision.sensitivity.sobol._CHUNK", 20)
    monkeypatch.setattr("brainworth.design.decision.sensitivity.regime._ALIGNMENTS", np.array([0.0, 0.3, 0.9]))
    monkeypatch.setattr("brainworth.design.decision.sensitivity.regime.RATIOS", 3)
    for work in (sobol, sobol_share):
        assert work(decision, seed=0, samples=8, workers=Posted()) == work(decision, seed=0, samples=8)
    assert regime(decision, seed=0, workers=Posted()) == regime(decision, seed=0)


def test_decisions_flip_in_the_currency_of_the_verdict(decision: Decision) -> None:
    """A gain below what is worthwhile does not pay, and what rehearsals took off the gain is taken off everywhere."""
    rows = decision.few
    formula = decision.advantage(decision.under(rows=rows))
    gain = Summary(mean=formula - 0.01, q05=-0.1, q95=0.1)
    verdict = Verdict(collect_brain_data=True, gain=gain, worthwhile=0.02, sentence="")
    stakes = Stakes.of(verdict, formula)
    assert (stakes.least, stakes.offset, stakes.now) == (0.02, pytest.approx(0.01), formula - 0.01 >= 0.02)
    judged = replace(decision, stakes=stakes)
    assert judged.advantage(judged.under(rows=rows)) == pytest.approx(formula - 0.01)
    found, any_gain = ({row.parameter: row for row in thresholds(choice, seed=0)} for choice in (judged, decision))
    draws = draws_at(decision.surface.draws, np.arange(N_DRAWS)[rows])
    value = found["alignment"].value
    assert value is not None
    there = judged.under(replaced(draws, NAMES, {"alignment": value}))
    assert judged.advantage(there) == pytest.approx(0.02, abs=0.004)
    assert value > (any_gain["alignment"].value or 0.0) + 0.01, "the wrong twin counts any gain"
    assert "gain at least 0.02 in explainable R²" in found["alignment"].sentence
    price, any_price = (rows["price_of_a_brain_sample"].value for rows in (found, any_gain))
    assert price is None or price < (any_price or np.inf)
    assert Stakes.of(Verdict(collect_brain_data=True, worthwhile=0.0, sentence=""), formula).least == ROUNDING
