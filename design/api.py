"""What a user works with: ``Study``, ``Posterior``, and their verbs. The command line calls these and nothing deeper.

A study is read, its posterior is fitted, the posterior is planned for. What computes is imported when it is first used: reading
a study is quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainworth.design.common.progress import Progress, shown
from brainworth.design.pilot.study import Study as StudyData

if TYPE_CHECKING:
    import pandas as pd

    from brainworth.design.allocation import Conditions
    from brainworth.design.common.workers import Team
    from brainworth.design.decision.compare import Comparison
    from brainworth.design.decision.evaluate import Evaluation
    from brainworth.design.decision.records.plan import Plan
    from brainworth.design.posterior.fit import Posterior as PosteriorDraws

_PLANNING = ("posterior", "allocation", "rehearsals", "exchange rates", "rounds", "thresholds", "report")


@dataclass(frozen=True)
class Study(StudyData):
    """A validated study; build it with ``from_file``, ``from_frames`` or ``from_arrays``."""

    def fit(self, seed: int | None = None, *, progress: Progress = False, out: Path | str | None = None) -> Posterior:
        """Return the posterior of the study's parameters.

        Parameters
        ----------
        seed : int, optional
            Seed of the sampler; default the study's.
        progress : bool or callable
            Whether to show what is being done; or a function that is called with each stage.
        out : Path or str, optional
            A folder that keeps the posterior; one that is there already is used again if nothing it depends on has changed.
        """
        from brainworth.design.posterior.fit import fit_study

        kept = None if out is None else Path(out) / "posterior.nc"
        with shown(progress) as say:
            say("posterior")
            return Posterior(fit_study(self, self.config.study.seed if seed is None else seed, kept, say))

    def backtest(self, splits: int = 3, *, progress: Progress = False, workers: Team | None = None) -> dict[str, Any]:
        """Fit parts of the pilot, forecast what the rest can check, and return the scored forecasts.

        Parameters
        ----------
        splits : int
            Random splits of the pilot.
        progress : bool or callable
            As for ``fit``.
        workers : Team, optional
            Who works on the splits; this process if not given.

        Raises
        ------
        BadInput
            A study without a pilot, or a pilot too small to be divided.
        """
        from brainworth.design.posterior.backtest import backtest

        with shown(progress) as say:
            return backtest(self, splits=splits, progress=say, workers=workers)

    def plan(
        self,
        out: Path | str,
        *,
        rounds: int | None = None,
        rehearsals: int | None = None,
        force: bool = False,
        progress: Progress = False,
        workers: Team | None = None,
    ) -> Plan:
        """Fit and plan, and write posterior, plan and report to a folder; what is there already is used again.

        Parameters
        ----------
        out : Path or str
            The folder; made if it does not exist.
        rounds : int, optional
            2 or 3: also say what buying in so many rounds gains; the study's ``budget.rounds`` if not given.
        rehearsals : int, optional
            Most rehearsals of the plan and of labels alone (64 if not given); 0 for none.
        force : bool
            Plan even if the health check refuses.
        progress : bool or callable
            As for ``fit``.
        workers : Team, optional
            Who works on rehearsals and simulated first rounds; this process if not given.

        Raises
        ------
        HealthRefusal
            If a check refuses and ``force`` is false.
        Infeasible
            If nothing fits budget and limits.
        """
        from brainworth.design.decision.plan import How, plan_study
        from brainworth.design.decision.rehearse import REHEARSALS
        from brainworth.design.report import write_report

        folder, most = Path(out), REHEARSALS if rehearsals is None else rehearsals
        with shown(progress, _PLANNING) as say:
            finished = plan_study(self, folder, How(rounds, most, force, say, workers))
            say("report")
            write_report(folder)
        return finished

    def compare(self, out: Path | str, *, force: bool = False, progress: Progress = False) -> Comparison:
        """Return what each modality buys for the same money; a plan in the folder gets the comparison into its report.

        Raises
        ------
        HealthRefusal
            If a check refuses and ``force`` is false.
        """
        from brainworth.design.decision.compare import compare_study
        from brainworth.design.decision.sensitivity.store import saved_plan
        from brainworth.design.report import write_report

        folder = Path(out)
        with shown(progress) as say:
            found = compare_study(self, folder, force=force, progress=say)
            if saved_plan(self, folder) is not None:
                say("report")
                write_report(folder)
        return found

    def sensitivity(
        self,
        out: Path | str,
        *,
        leave_one_out: bool = False,
        force: bool = False,
        progress: Progress = False,
        workers: Team | None = None,
    ) -> dict[str, Any]:
        """Return what would change the decision and what is worth finding out; both go into the report of the folder's plan.

        Parameters
        ----------
        out : Path or str
            Folder of a plan of this study; planned there first if there is none.
        leave_one_out : bool
            Fit again without each person in turn.
        force, progress, workers
            As for ``plan``.
        """
        from brainworth.design.decision.sensitivity import sensitivity_study
        from brainworth.design.report import write_report

        folder = Path(out)
        with shown(progress) as say:
            found = sensitivity_study(
                self, folder, force=force, leave_one_out=leave_one_out, progress=say, workers=workers
            )
            say("report")
            write_report(folder)
        return found


@dataclass(frozen=True)
class Posterior:
    """What is believed after the pilot."""

    fitted: PosteriorDraws
    """Draws, pilot and notes: what every station below computes with."""

    @property
    def data(self) -> Any:
        """ArviZ data: ``InferenceData`` or ``DataTree``; ``None`` for a known system or a study without a pilot."""
        return self.fitted.data

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per draw: alignment, misalignment, variances, latent dimension, snr of each modality."""
        return self.fitted.to_dataframe()

    def summary(self) -> pd.DataFrame:
        """Return mean, 5 %, 50 % and 95 % quantiles of every column of ``to_dataframe``."""
        return self.fitted.summary()

    def plan(
        self,
        budget: float | None = None,
        *,
        constraints: Conditions = (),
        rounds: int | None = None,
        rehearsals: int | None = None,
        force: bool = False,
        progress: Progress = False,
    ) -> Plan:
        """Return the best purchase.

        Parameters
        ----------
        budget : float, optional
            Money to spend, in the study's currency; the study's budget if not given.
        constraints : sequence of LinearConstraint, or callable
            Conditions beside the study's, e.g. ``lambda v: [v.sessions["EEG"] >= 2 * v.subjects["EEG"]]``.
        rounds : int, optional
            2 or 3: also say what buying in so many rounds gains; the study's ``budget.rounds`` if not given.
        rehearsals : int, optional
            Most rehearsals of the plan and of labels alone (64 if not given); 0 for none.
        force : bool
            Plan even if the health check refuses.
        progress : bool or callable
            Whether to show what is being done; or a function that is called with each stage.

        Raises
        ------
        HealthRefusal
            If a check refuses and ``force`` is false.
        Infeasible
            If nothing fits budget and limits.
        """
        from brainworth.design.decision.plan import How, make_plan
        from brainworth.design.decision.rehearse import REHEARSALS

        most = REHEARSALS if rehearsals is None else rehearsals
        with shown(progress, _PLANNING[1:5]) as say:
            return make_plan(self.fitted, budget=budget, constraints=constraints, how=How(rounds, most, force, say))

    def evaluate(
        self,
        labels: int | None = None,
        *,
        people: Mapping[str, int] | None = None,
        sessions: Mapping[str, int] | None = None,
        brain: Mapping[str, int] | None = None,
        repeats: Mapping[str, int] | None = None,
    ) -> Evaluation:
        """Return what a design of your own is worth: its bill, forecast, gain over labels alone, and loss against the best.

        Parameters
        ----------
        labels : int, optional
            New labelled stimuli; what the study's budget leaves if not given.
        people : mapping of str to int, optional
            People of each modality.
        sessions : mapping of str to int, optional
            Sessions of each person; 1 if people are given without.
        brain : mapping of str to int, optional
            Recorded samples of each modality, all people together; whole sessions if not given.
        repeats : mapping of str to int, optional
            Presentations of each stimulus; the fewest that the study allows if not given.

        Raises
        ------
        BadInput
            For an unknown modality, or people whose amount of recording is not said.
        """
        from brainworth.design.decision.evaluate import believed, evaluate
        from brainworth.design.decision.wish import Wish

        wish = Wish(labels, dict(brain or {}), dict(people or {}), dict(sessions or {}), dict(repeats or {}))
        return evaluate(believed(self.fitted), wish)
