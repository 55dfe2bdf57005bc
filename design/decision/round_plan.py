"""What buying in rounds (collect, refit, collect) gains over the plan, for the plan file and the report.

In: the allocation problem, a posterior, the number of rounds. Out: numbers and one sentence. If the budget is too small to be
split, the sentence says so, and the plan stands.
"""

from __future__ import annotations

import numpy as np

from brainworth.design.allocation import NewData, Problem
from brainworth.design.allocation.rounds import Rounds, RoundsOptions, plan_rounds
from brainworth.design.common.errors import Infeasible
from brainworth.design.common.workers import Team
from brainworth.design.decision.records.details import FirstRound, RoundsGain
from brainworth.design.posterior.draws import PosteriorDraws


def rounds_record(problem: Problem, posterior: PosteriorDraws, rounds: int, workers: Team | None = None) -> RoundsGain:
    """Return what so many rounds gain.

    Parameters
    ----------
    problem : Problem
        With a budget.
    posterior : PosteriorDraws
        What is believed before the first round.
    rounds : int
        2 or 3.
    workers : Team, optional
        Who simulates the first rounds; this process if not given.
    """
    if posterior.draws.people.shape[0] == 1:
        return RoundsGain(rounds=rounds, sentence="Nothing is uncertain here, so a first round would teach nothing.")
    options = RoundsOptions(
        rounds=rounds,
        reliability=float(np.mean(posterior.explained_share)),
        pilot_labels=float(posterior.pilot.labels),
        seed=posterior.seed,
    )
    try:
        found = plan_rounds(problem, posterior.surface(), options, posterior.surface_unshifted(), workers=workers)
    except Infeasible as failure:
        return RoundsGain(rounds=rounds, sentence=str(failure))
    return RoundsGain(
        rounds=rounds,
        first=FirstRound(
            share=found.first_share,
            n_task=found.first.n_task,
            modalities={name: bought.n_samples for name, bought in found.first.modalities.items()},
        ),
        expected=found.expected,
        one_round=found.one_round,
        gain=found.gain,
        standard_error=found.standard_error,
        perfect_information=found.perfect_information,
        sentence=sentence(found),
    )


def sentence(found: Rounds) -> str:
    """Return the gain of rounds in words, with its Monte Carlo standard error."""
    worth = "gains" if found.gain > 2.0 * found.standard_error else "does not clearly gain"
    return (
        f"Buying in {found.rounds} rounds, first {_purchase(found.first)} ({found.first_share:.0%} of the budget), then "
        f"refitting and spending the rest on what is best by then, {worth} over buying at once: {found.gain:+.4f} "
        f"expected explainable R² (Monte Carlo standard error {found.standard_error:.4f}); a first round that revealed "
        f"the truth would gain {found.perfect_information:+.4f}."
    )


def _purchase(first: NewData) -> str:
    parts = [f"{m.n_samples:,} {name} samples" for name, m in first.modalities.items() if m.n_samples]
    return " and ".join([*parts, f"{first.n_task:,} labels"])
