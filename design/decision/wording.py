"""Sentences of a plan: verdict, assumptions, methods, citations.

In: a posterior and an allocation. Out: plain English that a reviewer can read without the code. Text is escaped where it is
shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainworth.design.allocation import AllocationResult, NewData, Problem
from brainworth.design.allocation.costs import Bill
from brainworth.design.common.cards import several
from brainworth.design.common.messages import amount
from brainworth.design.decision.cheaper import Saving
from brainworth.design.decision.chosen_stimuli import assumption, chosen_record
from brainworth.design.decision.records.controls import Controls
from brainworth.design.decision.records.details import Assumption
from brainworth.design.decision.verdict import Decision, Gain
from brainworth.design.performance.purchase import WORST
from brainworth.design.pilot.study import PriorsOnly
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.posterior.literature import kind_of, literature
from brainworth.design.study_file.aim import Objective
from brainworth.design.study_file.config import StudyConfig
from brainworth.design.study_file.system_file import NamedSystem

THEORY = "Lewis, Wang, Schwab & Pitkow, How Much is Brain Data Worth for Machine Learning? arXiv:2605.09243"


def probability_in_words(probability: float) -> str:
    """Return a probability in words that never claim certainty: draws can only say so much."""
    if probability < 0.01:
        return "under 1%"
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def stimuli_planned_for(aim: Objective) -> str:
    """Return which test stimuli every performance of a plan is for; nothing if they are of the pilot's kind."""
    factors = aim.shifts or [aim.shift]
    if factors == [1.0]:
        return ""
    listed = (
        f"{', '.join(f'{f:g}' for f in factors[:-1])} or {factors[-1]:g}" if len(factors) > 1 else f"{factors[0]:g}"
    )
    worst = ", whichever is worst" if len(factors) > 1 else ""
    return f"test stimuli whose variance outside of the brain's latents is {listed} times the pilot's{worst}"


def aimed_at(aim: Objective, *, budgeted: bool) -> str:
    """Return what the plan maximises, or reaches at the least cost, in words."""
    if not budgeted:
        return (
            f"It is the cheapest that reaches an explainable R² of {aim.target:g} with probability {aim.confidence:.0%}"
        )
    best = {
        "mean": "expected explainable R²",
        "quantile": f"the {aim.level:.0%} quantile of explainable R² over the posterior",
        "cvar": f"the mean explainable R² of the worst {aim.level:.0%} of the posterior",
        "probability": f"the probability that explainable R² reaches {aim.target or 0.0:g}",
    }
    return f"It maximises {best[aim.utility]}"


@dataclass(frozen=True)
class Judged:
    """A plan and what was decided about its brain data: what the verdict's sentence is made of."""

    decision: Decision
    gain: Gain
    """Of the plan over labels alone; of the best plan with brain data if it holds none."""
    worthwhile: float
    binding: tuple[str, ...]
    currency: str
    stimuli: str = ""
    """Test stimuli the performance is for (``stimuli_planned_for``), if they are not of the pilot's kind."""
    controls: str = ""
    """What the pilot says of its recordings beyond their controls, if it was asked."""


def bought_in_words(allocation: NewData) -> str:
    """Return a purchase in words: people, sessions and samples of each modality, and labels."""
    parts = [
        f"{row.n_samples:,} {name} samples ({several(row.subjects, 'person', 'people')}, {several(row.sessions, 'session')})"
        for name, row in allocation.modalities.items()
        if row.n_samples > 0
    ]
    return " and ".join([*parts, f"{allocation.n_task:,} labels"])


def verdict_sentence(result: AllocationResult, judged: Judged) -> str:
    """Return the verdict in a few sentences: what to buy, what brain data gain, how likely a worthwhile gain is.

    Parameters
    ----------
    result : AllocationResult
        The plan and the alternatives.
    judged : Judged
        The decision and the gain it follows from.
    """
    plan, money = result.plan, amount(float(result.plan.bill.total), judged.currency)
    what, where = bought_in_words(plan.allocation), f" on {judged.stimuli}" if judged.stimuli else ""
    gain = judged.gain
    gains = (
        f"{gain.mean:+.3f} in explainable R²{where} on average (90 % interval {gain.q05:+.3f} to {gain.q95:+.3f}), and at least "
        f"{judged.worthwhile:g} with probability {probability_in_words(gain.probability)}"
    )
    held = f" These conditions of the study bind: {'; '.join(judged.binding)}." if judged.binding else ""
    if not plan.allocation.holds_brain_data:
        return f"{_without_recordings(result, judged, f'{what} for {money}', gains)}{held}"
    against = f"Against labels alone for the same money that gains {gains}."
    if judged.decision == "collect":
        shown = f" {judged.controls}" if judged.controls else ""
        return f"Collect brain data: buy {what} for {money}. {against}{shown}{held}"
    brain = amount(float(sum(plan.bill.modalities.values())), judged.currency)
    if judged.decision == "toss_up":
        return f"Toss-up: the plan buys {what} for {money}, {brain} of it for recordings. {against} {_leaning(judged)}{held}"
    return f"Labels alone do as well or better: the plan buys {what} for {money}, {brain} of it for recordings. {against}{held}"


def cheaper_sentence(found: Saving, bill: Bill, currency: str) -> str:
    """Return in words what is nearly as good as the plan and costs less."""
    total = float(found.purchase.bill.total)
    share = total / float(bill.total)
    lost = f"{found.loss:.3f}" if round(found.loss, 3) > 0 else "less than 0.001"
    return (
        f"Nearly as good for {share:.0%} of the money: {bought_in_words(found.purchase.allocation)} for {amount(total, currency)} "
        f"give up {lost} of expected explainable R²."
    )


_CONTROLS = {
    "labels alone": "labels alone",
    "shuffled": "shuffled recordings",
    "surrogate": "random data with their spectra",
    "stimulus only": "the stimuli alone",
}
"""Controls in the words of a sentence."""


def beyond_controls(found: Controls, bought: NewData) -> str:
    """Return in a sentence or two whether the pilot's recordings of what is bought can be told from their controls."""
    own = {name: one for name, one in found.modalities.items() if bought.modalities[name].n_samples > 0}
    shown = [name for name, one in own.items() if one.exceeds]
    said: list[str] = []
    if shown:
        arms = {arm.name for name in shown for arm in own[name].arms}
        *others, last = [words for name, words in _CONTROLS.items() if name in arms]
        verb = "teaches" if len(shown) == 1 else "teach"
        said.append(f"In the pilot, {' and '.join(shown)} {verb} a learner more than {', '.join(others)} or {last}.")
    said += [
        f"In the pilot, {name} cannot be told from {_CONTROLS[one.best.name]} yet: its gain rests on the model."
        for name, one in own.items()
        if not one.exceeds
    ]
    return " ".join(said)


def _without_recordings(result: AllocationResult, judged: Judged, what: str, gains: str) -> str:
    """Return the verdict on a plan that buys labels only."""
    rival = result.rival.plan
    if rival is None:
        return f"Do not collect brain data: buy {what}. No brain data can be bought within the limits."
    other = f"The best plan with brain data, {bought_in_words(rival.allocation)}, would gain {gains}."
    if judged.decision == "labels_only":
        return f"Do not collect brain data: buy {what}. {other}"
    return f"Toss-up: the plan buys {what}, and no brain data. {other} {_leaning(judged)}"


def _leaning(judged: Judged) -> str:
    """Return what to do in a toss-up if nothing else decides."""
    if judged.gain.mean < judged.worthwhile:
        return (
            f"If nothing else speaks for recordings, buy labels alone: the mean gain is below the {judged.worthwhile:g} that "
            "counts as worthwhile."
        )
    return (
        "The mean gain is worthwhile, but a smaller one or a loss is more likely: record if you can accept that, else buy labels "
        "alone."
    )


def assumptions(config: StudyConfig, posterior: PosteriorDraws, result: AllocationResult) -> list[Assumption]:
    """Return every assumption, and whether the pilot can check it."""
    pilot = posterior.study.has_pilot
    said: list[tuple[str, bool, str]] = [
        (
            "Stimulus features, brain latents and labels are related linearly, up to noise; anything nonlinear counts as "
            "noise or as misaligned.",
            pilot,
            "The check of encoding accuracy compares held-out predictions with what the model expects.",
        ),
        (
            _new_stimuli(config.objective, chosen=posterior.study.candidates is not None),
            False,
            "Only the lab can know.",
        ),
        (
            "Samples are independent given their stimulus, apart from groups that are never split across folds.",
            pilot,
            "Groups are respected; slow drifts within a session are not modelled.",
        ),
        (
            "The final model is trained with the brain-informed estimator, which uses both kinds of data optimally.",
            False,
            "brainworth ships it as BrainInformedRegressor.",
        ),
        (
            f"Label noise, alignment and up to {config.priors.max_latents} brain latents are inferred together; weak "
            "latents are shrunk, not dropped.",
            pilot,
            "The posterior shows how many are present.",
        ),
        (
            "New people are drawn from the population the pilot's people come from; with one person in the pilot, their "
            "spread is its prior.",
            False,
            "The pilot's people show the spread where there are several.",
        ),
    ]
    if not pilot:
        checks = (said[0][0], said[2][0], said[4][0])
        said = [(text, able, f"A pilot could: {told}" if text in checks else told) for text, able, told in said]
    if config.budget.reuse_pilot and pilot:
        said.append(
            ("The pilot's own data also train the final model.", False, "Set budget.reuse_pilot = false if not.")
        )
    if chosen := assumption(posterior):
        said.append((chosen, False, "Without choosing, leave out design.chosen_stimuli and plan again."))
    if hardly := float(np.mean(result.plan.expected <= WORST)):
        said.append(
            (
                f"An explainable R² below {WORST:g} counts as {WORST:g}. In {hardly:.1%} of the posterior draws labels hold so "
                "little signal that it would be lower, and would decide the mean.",
                pilot,
                "More labels in the pilot say how much of their variance is signal; R² on noisy labels hardly changes.",
            )
        )
    known = posterior.notes.likeness
    for modality in config.modality:
        together = modality.design.shared_stimuli or max(modality.design.repeats) > 1
        if together and modality.name not in known:
            said.append(
                (
                    f"{modality.name}: presentations of one stimulus, to one person or several, have nothing in common but what "
                    "the features explain, so that their noise averages out.",
                    False,
                    "A pilot in which stimuli are shown again, or to several people, would show it.",
                )
            )
    for m, name in enumerate(posterior.modalities):
        if float(posterior.pilot.samples[m]) == 0 and pilot:
            entry = literature()[kind_of(config, name)]
            said.append(
                (
                    f"{name} has no pilot: its signal-to-noise ratio is the literature's ({entry['basis']})",
                    False,
                    "A pilot would check it.",
                )
            )
    said += [(sentence, False, "It is a choice of the study file.") for sentence in result.assumptions]
    return [Assumption(text=text, checkable=checkable, checked=checked) for text, checkable, checked in said]


def _new_stimuli(aim: Objective, *, chosen: bool) -> str:
    shifted = stimuli_planned_for(aim)
    if shifted:
        used = "recorded" if chosen else "recorded and labelled"
        return f"Every explainable R² is for {shifted}; stimuli that are {used} come from the same distribution as the pilot's."
    if chosen:
        return "Stimuli that are recorded, and those that the model is used on, come from the same distribution as the pilot's."
    return "New stimuli come from the same distribution as the pilot's."


def label_count(posterior: PosteriorDraws) -> int:
    """Return how many labels the pilot holds, every rating counted (the forecast counts repeated ones by what they are worth)."""
    return len(posterior.study.pilot.label) if posterior.study.has_pilot else 0


def methods(config: StudyConfig, posterior: PosteriorDraws, result: AllocationResult, problem: Problem) -> list[str]:
    """Return a methods paragraph ready for a grant application, about the problem that was solved."""
    size = posterior.pilot
    if isinstance(posterior.study.material, NamedSystem):
        basis = "Performance was computed for known parameters of a linear-Gaussian model of stimuli, recordings and labels."
    elif isinstance(posterior.study.material, PriorsOnly):
        basis = (
            "Without a pilot, signal-to-noise ratios, alignment of the task with the brain's latents, label noise and source "
            "exponents were drawn from their priors, wide around published noise ceilings and encoding accuracies."
        )
    else:
        counts = ", ".join(f"{float(size.samples[m]):,.0f} {n} samples" for m, n in enumerate(posterior.modalities))
        basis = (
            f"A pilot of {counts} and {label_count(posterior):,} labels was summarised by a Bayesian reduced-rank encoding "
            "model whose read-outs were learned on other folds. A hierarchical model (NumPyro, Hamiltonian Monte Carlo) "
            "gave the joint posterior of signal-to-noise ratios, alignment of the task with the brain's latents, label noise and "
            "the source exponents of the feature spectrum; regression weights were integrated out."
        )
    stimuli = stimuli_planned_for(config.objective)
    budgeted = problem.budget is not None
    limit = "" if problem.budget is None else f" within {float(problem.budget):,.0f} {problem.currency}"
    aim = aimed_at(config.objective, budgeted=budgeted)
    return [
        f"{basis} Expected performance of the optimal brain-informed learner at any number of brain samples and labels "
        "follows from a closed-form theory (state evolution and Gaussian-design ridge regression), averaged over the "
        f"posterior. The purchase was chosen among all whole-number designs{limit} by mixed-integer programming, local "
        f"refinement and branch and bound. {aim}{f', on {stimuli}' if stimuli else ''}. {_proof(result, budgeted=budgeted)}"
        f"{_chosen(posterior, result)}"
    ]


def _chosen(posterior: PosteriorDraws, result: AllocationResult) -> str:
    """Return how labelled stimuli are chosen; nothing if they are random."""
    record = chosen_record(posterior, result.plan.allocation.n_task)
    if record is None:
        return ""
    return (
        " Stimuli to be labelled are chosen greedily by Bayesian I-optimality, which minimises the expected squared error over the "
        f"stimuli of the study. {record.sentence}"
    )


def _proof(result: AllocationResult, *, budgeted: bool) -> str:
    certificate = result.certificate
    if budgeted:
        return f"No feasible design exceeds {certificate.bound:.4f} (plan: {certificate.objective:.4f})."
    return f"No design that reaches it costs less than {amount(certificate.bound)} (plan: {amount(certificate.objective)})."


def citations(config: StudyConfig) -> list[str]:
    """Return the literature the plan rests on."""
    table = literature()
    kinds = dict.fromkeys(kind_of(config, name) for name in config.modality_names)
    sources = [table[kind]["citation"] for kind in kinds if kind != "unknown"]
    return [
        THEORY,
        "Phan, Pradhan & Jankowiak 2019, Composable effects for flexible and accelerated probabilistic programming in "
        "NumPyro, arXiv:1912.11554",
        "Diamond & Boyd 2016, CVXPY, Journal of Machine Learning Research 17(83):1-5",
        *sources,
    ]
