"""The whole analysis of one decision, and its place in a plan folder.

In: a posterior and its plan, or a study and a folder. Out: the fields ``sensitivity``, ``regime`` and ``voi`` of
``details.json``, and the report made again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from brainworth.design.allocation.from_config import problem_of_study
from brainworth.design.common.progress import silent
from brainworth.design.common.records import with_fields
from brainworth.design.common.workers import Team, with_progress
from brainworth.design.decision.records.findings import Findings, PersonLeftOut, PowerScaled, Sensitivity
from brainworth.design.decision.sensitivity.decision import Decision
from brainworth.design.decision.sensitivity.flips import decision_of, session_hours
from brainworth.design.decision.sensitivity.local import elasticities
from brainworth.design.decision.sensitivity.pilots import Basis
from brainworth.design.decision.sensitivity.prior import doubt_left
from brainworth.design.decision.sensitivity.regime import regime
from brainworth.design.decision.sensitivity.robustness import power_scaled, sentence, without_each_person
from brainworth.design.decision.sensitivity.sobol import correlation, sobol, sobol_share
from brainworth.design.decision.sensitivity.store import merge_details, saved_plan
from brainworth.design.decision.sensitivity.thresholds import thresholds
from brainworth.design.decision.sensitivity.tornado import centre, tornado
from brainworth.design.decision.sensitivity.voi import value_of_information
from brainworth.design.pilot.study import StudyData
from brainworth.design.posterior.archive import log_densities
from brainworth.design.posterior.draws import PosteriorDraws, kept_draws
from brainworth.design.posterior.fit import fit_study
from brainworth.design.study_file.config import StudyConfig


def analyse(
    config: StudyConfig,
    posterior: PosteriorDraws,
    decision: Decision,
    progress: Callable[[str], None] | None = None,
    workers: Team | None = None,
) -> Findings:
    """Return ``sensitivity``, ``regime`` and ``voi`` of a plan.

    Parameters
    ----------
    config : StudyConfig
        What the study plans, and its priors.
    posterior : PosteriorDraws
        What is believed.
    decision : Decision
        That of the plan (``decision_of``).
    progress : callable, optional
        Called with the name of each stage.
    workers : Team, optional
        Who works on independent tasks; this process if not given. The result does not depend on it.
    """
    say = progress or silent
    seed = posterior.seed
    say("sensitivity")
    moved = Sensitivity(
        tornado=tornado(decision),
        centre=centre(decision),
        elasticities=elasticities(decision),
        sobol=sobol(decision, seed, workers=with_progress(workers, progress, "Sobol indices")),
        sobol_share=sobol_share(decision, seed, workers=with_progress(workers, progress, "Sobol indices of the share")),
        correlation=correlation(decision),
    )
    say("thresholds")
    moved = with_fields(moved, thresholds=thresholds(decision, seed, session_hours(config.modality)))
    say("regime")
    area = regime(decision, seed, with_progress(workers, progress, "regime map"))
    say("information")
    effective = float("inf") if posterior.notes.sampler is None else posterior.notes.sampler.ess_bulk
    basis = Basis(posterior.pilot, config.budget.reuse_pilot, effective, left=doubt_left(config, posterior))
    worth = value_of_information(decision, basis, seed)
    return Findings(sensitivity=moved, regime=area, voi=worth)


def sensitivity_study(
    study: StudyData,
    out: Path,
    *,
    force: bool = False,
    leave_one_out: bool = False,
    progress: Callable[[str], None] | None = None,
    workers: Team | None = None,
) -> Findings:
    """Plan a study unless the folder holds its plan, and add the sensitivity analysis to it.

    With ``leave_one_out`` the pilot is fitted again without each person in turn. ``workers`` share independent tasks.
    """
    from brainworth.design.decision.plan import How, plan_study

    plan = saved_plan(study, out)
    if plan is None:
        plan = plan_study(study, out, How(force=force, progress=progress))
    posterior = fit_study(study, study.config.study.seed, out / "posterior.nc")
    decision = decision_of(posterior, plan, problem_of_study(study.config, posterior))
    found = analyse(study.config, posterior, decision, progress, workers)
    scaled: list[PowerScaled] = []
    people: list[PersonLeftOut] = []
    if study.has_pilot:
        densities = log_densities(out / "posterior.nc")
        kept = kept_draws(len(densities["prior"]))
        scaled = power_scaled(decision, {name: value[kept] for name, value in densities.items() if name != "slope"})
        people = without_each_person(study, decision, progress, workers) if leave_one_out else []
    whole = with_fields(found.sensitivity, power_scaling=scaled, people=people, robustness=sentence(scaled, people))
    found = with_fields(found, sensitivity=whole)
    merge_details(out, plan, dict(found))
    return found
