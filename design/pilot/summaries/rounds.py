"""The rounds of an exchange of summaries: moments first, read-outs with everyone's encoders second.

In: a study with recordings, the summaries of all sites from the round before. Out: a file, and what it reveals. Errors: a study
without recordings, files that do not fit (``format``, ``together``); each is a ``BadInput``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from brainworth.design.common.messages import problem, quoted
from brainworth.design.common.version import __version__
from brainworth.design.pilot.summaries.format import (
    FORMAT,
    Common,
    Header,
    Person,
    SiteSummary,
    channels_of,
    read_summary,
    write_summary,
)
from brainworth.design.pilot.summaries.reveals import WrittenSummary, count_of, revealed
from brainworth.design.pilot.summaries.together import common_of, folds_of, pooled, require_common
from brainworth.models.pilot.pilot import Pilot, Recording
from brainworth.models.pilot.summarised import is_summarised, summarised

if TYPE_CHECKING:
    from brainworth.design.pilot.study import StudyData


def summarise_study(
    study: StudyData, out: Path, others: Sequence[Path] = (), *, pseudonyms: bool = False
) -> WrittenSummary:
    """Write the summary of a study's recordings, and return what it reveals.

    Parameters
    ----------
    study : StudyData
        A study with recordings.
    out : Path
        The file to write.
    others : sequence of Path
        The summaries of all sites from the round before; that of this site may be among them. None in the first round.
    pseudonyms : bool
        Whether names of people are replaced.

    Raises
    ------
    BadInput
        There are no recordings, or a summary does not fit.
    """
    own = _recorded(study, pseudonyms=pseudonyms)
    common = common_of(own, study.names, study.config)
    folds = folds_of(own, study.config.study.seed)
    moments = tuple(summarised(recording, own, folds) for recording in own.recordings)
    header = Header(format=FORMAT, version=__version__, common=common, people=[_person(r) for r in moments])
    if others:
        header, moments = _second(study, own, SiteSummary(out.name, header, moments), others)
    write_summary(out, header, moments)
    numbers, recorded = count_of(moments)
    people: dict[str, list[str]] = {}
    for recording in moments:
        people.setdefault(recording.modality, []).append(recording.subject)
    return WrittenSummary(
        path=str(out),
        round=2 if others else 1,
        people=people,
        numbers=numbers,
        recorded=recorded,
        reveals=revealed(header, moments, pseudonyms=pseudonyms),
        next=_next(header, out),
    )


def _recorded(study: StudyData, *, pseudonyms: bool) -> Pilot:
    """Return the pilot of a study, under pseudonyms if they are wanted."""
    pilot = study.pilot
    title = study.config.study.title
    if not pilot.recordings:
        raise problem(title, "modality", "no modality has recordings", "There is nothing to summarise at this site.")
    if is_summarised(pilot):
        right = "Run this with the study file of the site that has the recordings."
        raise problem(title, "modality > summaries", "the study has summaries instead of recordings", right)
    if not pseudonyms:
        return pilot
    key = hashlib.sha256(
        "\x1f".join(f"{name}\x1e{value}" for name, value in sorted(_inputs(study).items())).encode()
    ).digest()

    def renamed(recording: Recording) -> Recording:
        return replace(recording, subject=f"p-{hmac.new(key, recording.subject.encode(), 'sha256').hexdigest()[:12]}")

    return replace(pilot, recordings=tuple(renamed(recording) for recording in pilot.recordings))


def _inputs(study: StudyData) -> dict[str, str]:
    """Return the hashes of the tables: pseudonyms must not change with prices or budget."""
    return {name: value for name, value in study.digest.items() if not name.endswith(".toml") and name != "config"}


def _person(recording: Recording, worth: float | None = None) -> Person:
    return Person(modality=recording.modality, subject=recording.subject, worth=worth)


def _second(
    study: StudyData, own: Pilot, mine: SiteSummary, others: Sequence[Path]
) -> tuple[Header, tuple[Recording, ...]]:
    """Return header and recordings of this site's summary with read-outs by the encoders of everyone."""
    from brainworth.models.pilot.read_out import read_out

    common, marks = mine.header.common, dict(zip(mine.marks, mine.recordings, strict=True))
    theirs = [_foreign(read_summary(path, path.name), common, set(marks)) for path in others]
    sites = [mine, *(site for site in theirs if site is not None)]
    everyone = pooled(sites, own, study.config)
    found = read_out(replace(own, recordings=everyone), own, common.latents, common.seed)
    of = {(r.modality, r.subject): m for site in sites for r, m in zip(site.recordings, site.marks, strict=True)}
    header = mine.header.model_copy(
        update={
            "people": [_person(r, worth) for r, worth in zip(mine.recordings, found.worth, strict=True)],
            "together": [of[r.modality, r.subject] for r in everyone],
            "used": list(found.used),
        }
    )
    recordings = tuple(
        replace(recording, channels=replace(channels_of(recording), worth=worth, held=held))
        for recording, worth, held in zip(mine.recordings, found.worth, found.held, strict=True)
    )
    return header, recordings


def _foreign(summary: SiteSummary, common: Common, own: set[str]) -> SiteSummary | None:
    """Return the summary of another site; ``None`` for this site's own, which is made again."""
    require_common(summary, common)
    marks = set(summary.marks)
    if marks == own:
        return None
    if marks & own:
        names = [quoted(r.subject) for r, mark in zip(summary.recordings, summary.marks, strict=True) if mark in own]
        wrong = f"it holds {names[0]} and more of this study's people, but not the same people as this study"
        raise problem(summary.source, "", wrong, "Write this site's summary again, or leave the file out.")
    return summary


def _next(header: Header, out: Path) -> str:
    if not header.together:
        return (
            f"Next: send {out.name} to the other sites. When all files are there, every site runs: "
            "brainworth summarise STUDY --with FILE --with FILE --out FILE."
        )
    from brainworth.models.pilot.read_out import counted

    slow = [p.subject for p in header.people if counted(p.worth) < 1.0]
    reckoned = [u for u in header.used if u < 1.0]
    if slow and not reckoned:
        return (
            f"Next: samples of {len(slow)} recordings are autocorrelated, which the encoders must reckon with. "
            "Exchange these files and run the same command once more with them, at every site."
        )
    return f"Next: send {out.name} to the site that plans. It names the files of all sites: [[modality]] summaries = [...]."
