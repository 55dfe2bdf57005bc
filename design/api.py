"""What a user works with: ``Study``, ``Posterior``, ``Plan`` and their verbs. The command line calls these.

A study is read, its posterior is fitted, the posterior is planned for. What computes is imported when it is first used: reading
a study is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import PrivateAttr

from brainworth.design.common.cards import Card, HasCard
from brainworth.design.common.messages import problem, require_whole
from brainworth.design.common.progress import Progress, shown
from brainworth.design.decision.records import files
from brainworth.design.decision.records.findings import Findings
from brainworth.design.decision.records.plan import Plan as PlanRecord
from brainworth.design.pilot.study import StudyData
from brainworth.design.study_file.config import StudyConfig, whole_study

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from brainworth.design.allocation import Conditions, Problem
    from brainworth.design.common.workers import Team
    from brainworth.design.decision.compare import Comparison
    from brainworth.design.decision.evaluate import Evaluation
    from brainworth.design.decision.records.controls import Controls
    from brainworth.design.decision.stimuli import ChoiceOptions, StimulusChoice
    from brainworth.design.pilot.candidates import Candidates
    from brainworth.design.pilot.overview import Overview
    from brainworth.design.pilot.summaries.reveals import WrittenSummary
    from brainworth.design.posterior.backtest import Backtest
    from brainworth.design.posterior.draws import PosteriorDraws
    from brainworth.design.report.frontier import Frontier
    from brainworth.design.report.overview import Figure
    from brainworth.design.study_file import aim, config
    from brainworth.design.study_file.design import StudyDesign
    from brainworth.design.study_file.modality import Modality
    from brainworth.models.learner.plan_learner import PlanLearner

_PLANNING = ("posterior", "allocation", "rehearsals", "exchange rates", "rounds", "thresholds", "report")


@dataclass(frozen=True, repr=False)
class Study(StudyData):
    """A validated study; build it with ``from_file``, ``from_frames`` or ``from_arrays``."""

    @classmethod
    def from_frames(  # noqa: PLR0913  (one parameter per block of a study file)
        cls,
        *,
        stimuli: pd.DataFrame | xr.DataArray | xr.Dataset | None = None,
        labels: pd.DataFrame | xr.DataArray | xr.Dataset,
        recordings: Mapping[str, Any],
        config: StudyConfig | Mapping[str, Any] | None = None,
        kernel: Any = None,
        task: config.Task | Mapping[str, Any] | None = None,
        modalities: Sequence[Modality | Mapping[str, Any]] = (),
        budget: aim.Budget | Mapping[str, Any] | None = None,
        objective: aim.Objective | Mapping[str, Any] | None = None,
        design: StudyDesign | Mapping[str, Any] | None = None,
        title: str | None = None,
        blocks: Mapping[str, Sequence[str]] | None = None,
        candidates: pd.DataFrame | None = None,
    ) -> Self:
        """Return a study built from tables in memory; nothing is written or read.

        Parameters
        ----------
        stimuli : DataFrame, xarray.DataArray or xarray.Dataset, optional
            Column stimulus, optionally group; every other column is a feature. Not needed with a kernel.
        labels : DataFrame, xarray.DataArray or xarray.Dataset
            Columns stimulus and label.
        recordings : mapping of str to DataFrame, mne.Epochs, {person: mne.Epochs}, xarray.DataArray or xarray.Dataset
            By modality; columns subject, stimulus, optionally session and repeat; every other column is a channel.
            Epochs carry these columns in their metadata; a channel's value is its mean over the epoch, or over the
            windows of the modality's reader. xarray objects carry them as coordinates.
        config : StudyConfig or mapping, optional
            The whole study as in the study file, instead of the blocks that follow; paths in it are not read.
        kernel : DataFrame or (ids, ndarray), optional
            Gram matrix of a kernel over the stimuli, used as their features, beside columns of ``stimuli`` if it has any. A data
            frame has the ids as index and columns. ``kernel_features`` gives new stimuli their features.
        task, modalities, budget, objective, design
            The blocks of the study file, as ``Task``, ``Modality``, ``Budget``, ``Objective`` or as mappings; the design as a
            mapping, e.g. {"chosen_stimuli": True}.
        title : str, optional
            What the study is called in the report.
        blocks : mapping of str to sequence of str, optional
            Features that belong together, by the name of their block, as in [[stimuli.block]].
        candidates : DataFrame, optional
            Stimuli that labels are chosen from, if the design chooses them; default those of ``stimuli`` without a label.

        Raises
        ------
        BadInput
            A block or a table is wrong, or a modality of the recordings is not in the study.
        """
        parts = {"task": task, "modality": list(modalities), "budget": budget, "objective": objective, "design": design}
        given: dict[str, Any] = {name: part for name, part in parts.items() if part}
        if title is not None:
            given["study"] = {"title": title}
        if blocks:
            given["stimuli"] = {"block": [{"name": name, "columns": list(own)} for name, own in blocks.items()]}
        whole = whole_study("Study.from_frames", config, given)
        return super().from_frames(
            stimuli=stimuli, labels=labels, recordings=recordings, config=whole, kernel=kernel, candidates=candidates
        )

    def check(self) -> Overview:
        """Return what was read: counts, remarks, and the checks that need no fit."""
        from brainworth.design.pilot.overview import overview

        return overview(self)

    def __repr__(self) -> str:
        return f"Study: {self.check()!r}"

    def _repr_html_(self) -> str:
        return self.check().card().html()

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

        if seed is not None:
            require_whole("seed", seed, 0, 2**32 - 1)
        kept = None if out is None else Path(out) / "posterior.nc"
        with shown(progress) as say:
            say("posterior")
            return Posterior(self, fit_study(self, self.config.study.seed if seed is None else seed, kept, say))

    def summarise(
        self, out: Path | str, others: Sequence[Path | str] = (), *, pseudonyms: bool = False
    ) -> WrittenSummary:
        """Write what the posterior needs of this site's recordings, and no recordings; ``with_summaries`` plans from such files.

        Parameters
        ----------
        out : Path or str
            The file (npz).
        others : sequence of Path or str, optional
            The summaries of all sites from the first round; the file then holds read-outs, too, and can be planned from.
        pseudonyms : bool
            Whether names of people are replaced, the same way in every round.

        Returns
        -------
        WrittenSummary
            Who is in the file, what it reveals, what to do next.

        Raises
        ------
        BadInput
            The study has no recordings, or a file is damaged or of other stimuli, labels or settings.
        """
        from brainworth.design.pilot.summaries.rounds import summarise_study

        return summarise_study(self, Path(out), [Path(other) for other in others], pseudonyms=pseudonyms)

    def backtest(self, splits: int = 3, *, progress: Progress = False, workers: Team | None = None) -> Backtest:
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

    def controls(
        self, out: Path | str | None = None, splits: int = 3, *, progress: Progress = False, workers: Team | None = None
    ) -> Controls:
        """Return the recordings against shuffled ones, surrogates and the stimuli alone; a plan in the folder gets them, too.

        Parameters
        ----------
        out : Path or str, optional
            Folder whose posterior is used again, or that keeps it.
        splits : int
            Random divisions of the pilot into folds.
        progress, workers
            As for ``plan``.

        Raises
        ------
        BadInput
            A study without recordings, or a pilot too small to be divided.
        """
        from brainworth.design.decision.controls import controls_study

        with shown(progress) as say:
            found = controls_study(
                self, None if out is None else Path(out), splits=splits, progress=say, workers=workers
            )
            self._report_again(out, say)
        return found

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
            Most rehearsals of the plan, of labels alone and of other splits (64 if not given; splits need 32); 0 for none.
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
        return Plan.of(finished)

    def update(  # noqa: PLR0913  (one parameter per option of the command)
        self,
        folder: Path | str,
        out: Path | str,
        *,
        spent: float | None = None,
        before: Study | None = None,
        level: float = 0.05,
        registered: Path | str | None = None,
        rehearsals: int | None = None,
        force: bool = False,
        progress: Progress = False,
        workers: Team | None = None,
    ) -> Plan:
        """Update an earlier plan: this study holds everything collected so far; write the next plan and its report.

        Parameters
        ----------
        folder : Path or str
            The earlier plan, or an earlier update.
        out : Path or str
            Folder of the next plan; not the earlier one.
        spent : float, optional
            Money spent since; from the study's prices if not given.
        before : Study, optional
            The study that the plan was made from; then a rule that holds however often one looks says whether the recordings so
            far help on labels that came after them.
        level : float
            Bound on the probability that this rule is ever wrong.
        registered : Path or str, optional
            Folder of the plan's preregistration; deviations from it are then listed.
        rehearsals, force, progress, workers
            As for ``plan``.

        Returns
        -------
        Plan
            For what is left; ``plan.details.update`` says what came in, what it taught, and whether to go on.

        Raises
        ------
        BadInput
            If the folder holds no finished plan, the study less than its pilot, or the preregistration was changed or is another's.
        HealthRefusal
            If a check refuses and ``force`` is false.
        """
        from brainworth.design.decision.plan import How
        from brainworth.design.decision.rehearse import REHEARSALS
        from brainworth.design.decision.update import Since, update_study
        from brainworth.design.report import write_report

        with shown(progress, _PLANNING) as say:
            how = How(1, REHEARSALS if rehearsals is None else rehearsals, force, say, workers)
            promised = None if registered is None else Path(registered)
            finished = update_study(Path(folder), self, Path(out), Since(spent, before, level, promised, how))
            say("report")
            write_report(Path(out))
        return Plan.of(finished)

    def compare(self, out: Path | str | None = None, *, force: bool = False, progress: Progress = False) -> Comparison:
        """Return what each modality buys for the same money; a plan in the folder gets the comparison into its report.

        Raises
        ------
        HealthRefusal
            If a check refuses and ``force`` is false.
        """
        from brainworth.design.decision.compare import compare_study

        with shown(progress) as say:
            found = compare_study(self, None if out is None else Path(out), force=force, progress=say)
            self._report_again(out, say)
        return found

    def sensitivity(
        self,
        out: Path | str,
        *,
        leave_one_out: bool = False,
        force: bool = False,
        progress: Progress = False,
        workers: Team | None = None,
    ) -> Findings:
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
        from brainworth.design.decision.sensitivity.analysis import sensitivity_study
        from brainworth.design.report import write_report

        folder = Path(out)
        with shown(progress) as say:
            found = sensitivity_study(
                self, folder, force=force, leave_one_out=leave_one_out, progress=say, workers=workers
            )
            say("report")
            write_report(folder)
        return found

    def _report_again(self, folder: Path | str | None, say: Callable[[str], None]) -> None:
        """Write the report of a folder again if it holds a plan of this study."""
        if folder is None:
            return
        from brainworth.design.decision.sensitivity.store import saved_plan

        if saved_plan(self, Path(folder)) is not None:
            from brainworth.design.report import write_report

            say("report")
            write_report(Path(folder))


@dataclass(frozen=True, repr=False)
class Posterior(HasCard):
    """What is believed after the pilot."""

    study: Study
    """The study that it is of."""
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

    def plot(self) -> Figure:
        """Return a figure: how plausible every value is, and was before the pilot."""
        from brainworth.design.report.overview import posterior_figure

        draws = {name: values.tolist() for name, values in self.fitted.columns().items()}
        return posterior_figure(draws, dict(self.fitted.notes.prior))

    def card(self) -> Card:
        """Return mean and 90 % interval of everything that is believed."""
        rows = [
            (str(name), f"{row['mean']:.3g}", f"{row['q05']:.3g} to {row['q95']:.3g}")
            for name, row in self.summary().iterrows()
        ]
        size = f"{len(self.to_dataframe()):,} draws; .summary(), .to_dataframe(), .plot(), .data (ArviZ), .plan()"
        title = f"Posterior of {self.study.config.study.title}"
        return Card(title, "", ("", "mean", "90 % interval"), rows, [size])

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
            Most rehearsals of the plan, of labels alone and of other splits (64 if not given; splits need 32); 0 for none.
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
        from brainworth.design.decision.plan import How, make_plan, problem_of
        from brainworth.design.decision.rehearse import REHEARSALS

        for name, value, least, largest in (("rounds", rounds, 1, 3), ("rehearsals", rehearsals, 0, 10_000)):
            if value is not None:
                require_whole(name, value, least, largest)
        most = REHEARSALS if rehearsals is None else rehearsals
        solved = problem_of(self.study.config, self.fitted, budget, constraints)
        with shown(progress, _PLANNING[1:5]) as say:
            found = make_plan(self.study.config, self.fitted, solved, How(rounds, most, force, say))
        return Plan.of(found, _Origin(self.study.config, self.fitted, solved))

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
        return evaluate(believed(self.study.config, self.fitted), wish)

    def controls(self, splits: int = 3, *, progress: Progress = False, workers: Team | None = None) -> Controls:
        """Return the pilot's recordings against shuffled ones, surrogates and the stimuli alone, and both alignments.

        Parameters and errors are those of ``Study.controls``.
        """
        from brainworth.design.decision.controls import controls, with_alignment

        with shown(progress) as say:
            found = controls(self.study, splits=splits, progress=say, workers=workers)
            say("posterior of shuffled recordings")
            return with_alignment(found, self.fitted)

    def choose(
        self,
        candidates: Candidates | pd.DataFrame,
        n: int,
        *,
        of: Literal["labels", "recordings"] = "labels",
        options: ChoiceOptions | None = None,
    ) -> StimulusChoice:
        """Return which stimuli of a pool to label or record next, ranked, and what that gains over a random choice.

        Parameters
        ----------
        candidates : Candidates or DataFrame
            The pool, with the study's features.
        n : int
            Labels or recordings to choose; groups stay whole, so that fewer can be chosen.
        of : "labels" or "recordings"
            What is measured.
        options : ChoiceOptions, optional
            Modality, repeats, prices, target stimuli, seed.

        Raises
        ------
        BadInput
            If the pool lacks features of the study, or cannot give so many.
        """
        from brainworth.design.decision.stimuli import choose

        return choose(self.fitted, candidates, n, of=of, options=options)


@dataclass(frozen=True)
class _Origin:
    """What a plan was made of."""

    config: StudyConfig
    posterior: PosteriorDraws
    problem: Problem


class Plan(PlanRecord):
    """What to buy, what it will reach, and how sure that is: the fields of `plan.json`, and verbs.

    A plan that was loaded from a folder has no posterior: what needs one raises ``BadInput``.
    """

    _made_of: _Origin | None = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, record: PlanRecord, origin: _Origin | None = None, folder: Path | None = None) -> Plan:
        """Return a plan with its verbs.

        Parameters
        ----------
        record : Plan
            As it was planned, or read from a folder.
        origin : optional
            Study, posterior and problem that it was planned from.
        folder : Path, optional
            Where it was read from.
        """
        plan = cls.model_construct(set(record.model_fields_set), **dict(record))
        plan._folder, plan._made_of = folder, origin
        return plan

    @property
    def frontier(self) -> Frontier:
        """The best plan at other budgets."""
        from brainworth.design.report.frontier import Frontier

        return Frontier(self)

    def compare(self, *, progress: Progress = False) -> Comparison:
        """Return what each modality buys for the plan's budget, alone and together."""
        from brainworth.design.decision.compare import compare

        made = self._origin("compare")
        with shown(progress) as say:
            return compare(made.config, made.posterior, say, made.problem)

    def sensitivity(self, *, progress: Progress = False, workers: Team | None = None) -> Findings:
        """Return what would change the decision, and what is worth finding out first."""
        from brainworth.design.decision.sensitivity.analysis import analyse
        from brainworth.design.decision.sensitivity.flips import decision_of

        made = self._origin("sensitivity")
        with shown(progress) as say:
            decision = decision_of(made.posterior, self, made.problem)
            return analyse(made.config, made.posterior, decision, say, workers)

    def learner(self) -> PlanLearner:
        """Return the estimator that the forecast is about, told what the plan believes; fit it with the new data."""
        from brainworth.design.decision.learner import plan_learner

        made = self._origin("learner")
        return plan_learner(made.posterior, reuse_pilot=made.config.budget.reuse_pilot)

    def save(self, folder: Path | str) -> Path:
        """Write `plan.json` and `details.json` to a folder; ``load_plan`` and `brainworth report` read them."""
        directory = Path(folder)
        files.save(self, directory)
        return directory

    def report(self, path: Path | str = "report.html") -> Path:
        """Write the report, one page that needs no network, and return its path; ``report.html`` in a folder that exists."""
        from brainworth.design.report.render import write_page

        page = Path(path)
        return write_page(self, page / "report.html" if page.is_dir() else page)

    def update(self, study: Study, out: Path | str, **options: Any) -> Plan:
        """Return the next plan, made with everything collected so far: ``Study.update`` of the folder this plan was loaded from.

        Parameters
        ----------
        study : Study
            Holds everything collected so far.
        out : Path or str
            Folder of the next plan.
        **options
            Of ``Study.update``: spent, before, level, registered, rehearsals, force, progress, workers.

        Raises
        ------
        BadInput
            The plan was not loaded from a folder; or as ``Study.update``.
        """
        if self._folder is None:
            right = "Load it with bw.load_plan(folder): an update needs the posterior that lies beside the plan."
            raise problem("plan.update()", "", "this plan was not loaded from a folder", right)
        return study.update(self._folder, out, **options)

    def _origin(self, verb: str) -> _Origin:
        if self._made_of is None:
            raise problem(
                f"plan.{verb}()",
                "",
                "a plan that was loaded from a folder has no posterior",
                "Fit the study again, and plan: Study.from_file(...).fit().plan().",
            )
        return self._made_of


def load_plan(folder: Path | str) -> Plan:
    """Return the plan of a folder that ``Plan.save`` or `brainworth plan` wrote.

    Raises
    ------
    BadInput
        If there is none, or its files are damaged.
    """
    return Plan.of(files.load(Path(folder)), folder=Path(folder))
