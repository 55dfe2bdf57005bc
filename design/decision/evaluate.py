"""What a design of one's own is worth: its bill, its forecast, what it gains over labels alone, what the best would add.

In: what is believed and a ``Wish`` (``wish``). Out: ``Evaluation``, a frozen record. A wish that breaks limits or budget is still
evaluated; ``broken`` says which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainworth.design.allocation.costs import Bill
from brainworth.design.allocation.describe import plans
from brainworth.design.allocation.evaluate import Evaluator
from brainworth.design.allocation.from_config import problem_of_study
from brainworth.design.allocation.frontier import BudgetSearch
from brainworth.design.allocation.problem import Designs, Problem
from brainworth.design.allocation.result import NewData, Purchased
from brainworth.design.common.messages import amount
from brainworth.design.common.records import Number, plain, with_fields
from brainworth.design.common.summaries import interval
from brainworth.design.decision.purchase_records import (
    allocation_record,
    cost_record,
    expected_record,
    single_studies_record,
)
from brainworth.design.decision.records.plan import Performance
from brainworth.design.decision.verdict import Gain
from brainworth.design.decision.wish import Wish, broken, wished
from brainworth.design.performance.surface import PosteriorSurface
from brainworth.design.posterior.draws import PosteriorDraws
from brainworth.design.study_file.config import StudyConfig
from brainworth.models.forecast.label_variance import LabelVariance


class DesignForecast(Performance):
    """What one study reads off, and what such studies read off on average."""

    probability_of_target: Number = None
    """Of reaching ``objective.target``, if there is one."""


@dataclass(frozen=True)
class Evaluation:
    """What a design of one's own is worth."""

    allocation: NewData
    bill: Bill
    currency: str
    broken: tuple[str, ...]
    """Limits that the design breaks, each with its number and the limit's."""
    performance: DesignForecast
    today: DesignForecast
    """With the pilot and nothing bought."""
    labels_alone: NewData
    labels_alone_bill: Bill
    labels_alone_performance: DesignForecast
    """Labels alone, for the same money."""
    best: NewData
    best_performance: DesignForecast
    """The best plan found for the same money, within the study's limits."""
    gain: Gain
    """Of the design over labels alone for the same money."""
    worthwhile: float
    loss_against_best: float
    """Expected explainable R^2 that the best plan has more."""

    @property
    def feasible(self) -> bool:
        """Whether the design keeps every limit of the study and its budget."""
        return not self.broken

    def to_json(self) -> dict[str, object]:
        """Return what ``brainworth evaluate --json`` prints."""
        return {
            "schema": "brainworth.evaluate/1",
            "allocation": plain(allocation_record(self.allocation)),
            "cost": plain(cost_record(self.bill, self.currency)),
            "feasible": self.feasible,
            "broken": list(self.broken),
            "performance": plain(self.performance) | {"today": plain(self.today)},
            "labels_alone": {
                "allocation": plain(allocation_record(self.labels_alone)),
                "performance": plain(self.labels_alone_performance),
            },
            "best": {
                "allocation": plain(allocation_record(self.best)),
                "performance": plain(self.best_performance),
            },
            "gain": {
                "mean": self.gain.mean,
                "q05": self.gain.q05,
                "q95": self.gain.q95,
                "probability": self.gain.probability,
            },
            "worthwhile": self.worthwhile,
            "loss_against_best": self.loss_against_best,
        }

    def __repr__(self) -> str:
        lines = [
            f"Evaluation: {describe(self.allocation)} for {amount(self.bill.total, self.currency)}",
            f"  explainable R²  {interval(self.performance.explainable_r2)}",
            f"  today           {interval(self.today.explainable_r2)}",
            f"  labels alone    {interval(self.labels_alone_performance.explainable_r2)} "
            f"({describe(self.labels_alone)}{self._unspent()})",
            f"  best            {interval(self.best_performance.explainable_r2)} ({describe(self.best)})",
            f"  gain over labels alone {self.gain.mean:+.3f} ({self.gain.q05:+.3f} to {self.gain.q95:+.3f}), "
            f"probability of at least {self.worthwhile:g}: {self.gain.probability:.0%}",
        ]
        limits = [f"  breaks {limit}" for limit in self.broken]
        return "\n".join(
            [*lines, *limits, "  These are forecasts of the formula; those of a plan are corrected by rehearsals."]
        )

    def _unspent(self) -> str:
        """Return what labels alone leave of the money where the study allows no more of them."""
        left = self.bill.total - self.labels_alone_bill.total
        return (
            f", all that the study allows; {amount(left, self.currency)} left" if 100 * left > self.bill.total else ""
        )


@dataclass(frozen=True)
class EvaluationBasis:
    """What an evaluation needs of a study and its posterior."""

    problem: Problem
    surface: PosteriorSurface
    label_variance: LabelVariance
    worthwhile: float


def believed(config: StudyConfig, posterior: PosteriorDraws) -> EvaluationBasis:
    """Return what an evaluation needs: prices, limits and objective of the study, and the posterior's surface."""
    return EvaluationBasis(
        problem=problem_of_study(config, posterior),
        surface=posterior.surface(),
        label_variance=posterior.label_variance,
        worthwhile=config.objective.worthwhile,
    )


def evaluate(known: EvaluationBasis, wish: Wish) -> Evaluation:
    """Return what a design of one's own is worth.

    Parameters
    ----------
    known : EvaluationBasis
        The study's prices, limits and objective, and the posterior's surface.
    wish : Wish
        The design.

    Raises
    ------
    BadInput
        If a modality is unknown, or a wish does not say how much is recorded.
    """
    problem = known.problem
    design = wished(problem, wish)
    cents = int(problem.cents(design)[0])
    no_labels, none = np.zeros_like(design.n_task), np.zeros_like(design.stimuli)
    nothing = Designs(no_labels, none, none, design.repeats)
    own, today = plans(problem, Evaluator(known.surface, problem.utility), Designs.concatenate([design, nothing]))
    found = BudgetSearch.of(problem, known.surface).best(cents, [design])
    best, alone = found.plan or own, found.task_only
    return Evaluation(
        allocation=own.allocation,
        bill=own.bill,
        currency=problem.currency,
        broken=broken(problem, design),
        performance=forecast(known, own),
        today=forecast(known, today),
        labels_alone=alone.allocation,
        labels_alone_bill=alone.bill,
        labels_alone_performance=forecast(known, alone),
        best=best.allocation,
        best_performance=forecast(known, best),
        gain=Gain.of(own.expected - alone.expected, known.worthwhile),
        worthwhile=known.worthwhile,
        loss_against_best=best.mean - own.mean,
    )


def forecast(known: EvaluationBasis, plan: Purchased) -> DesignForecast:
    """Return the forecast of one purchase."""
    found = DesignForecast(
        **dict(single_studies_record(plan.outcomes, known.label_variance)),
        expected=expected_record(plan.expected, known.label_variance),
    )
    target = known.problem.target
    return (
        found if target is None else with_fields(found, probability_of_target=float((plan.outcomes >= target).mean()))
    )


def describe(bought: NewData) -> str:
    """Return a purchase in words: people, sessions, samples, labels."""
    parts = [
        f"{row.subjects} {name} {'person' if row.subjects == 1 else 'people'} in {row.sessions:,} "
        f"session{'' if row.sessions == 1 else 's'} ({row.n_samples:,} samples)"
        for name, row in bought.modalities.items()
        if row.n_samples
    ]
    return " and ".join([*parts, f"{bought.n_task:,} labels"])
