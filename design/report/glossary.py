"""The words of the report that a reader may not know: what they mean, and links from the text to where that is said.

In: a finished page. Out: the terms that occur on it, and the page with the first occurrence of each in every section linked to
the glossary. Only text is changed, never a tag, a figure, a heading, or what is to be copied.

The page is text and tags in turn. All text on it is escaped, so that a ``<`` always begins a tag and a ``>`` always ends one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word and its meaning."""

    key: str
    """Part of the address on the page."""
    name: str
    pattern: str
    """Regular expression of its forms in the text."""
    meaning: str


TERMS = (
    Term(
        "alignment",
        "alignment, misalignment",
        r"(?:mis)?alignment",
        "The share of the predictable part of a label that the brain's latents carry, 0 to 1: what brain data can teach. "
        "Misalignment is the rest, which only labels can teach.",
    ),
    Term(
        "backtest",
        "backtest",
        r"backtests?",
        "A test on data that exist already: the learner is trained on part of the pilot, scored on the rest, and the score is held "
        "against what the model says of such a small part.",
    ),
    Term(
        "sample",
        "brain sample",
        r"brain samples?",
        "One row of recordings: the response of one person to one presentation of a stimulus.",
    ),
    Term(
        "break-even",
        "break-even price",
        r"break-even prices?",
        "The price at which brain data and labels are worth the same. As believed: one price for the decision, everything "
        "uncertain averaged over; the one to negotiate with. Its interval: the same price worked out in every plausible state "
        "as if that state were known.",
    ),
    Term(
        "chains",
        "R-hat, chains",
        r"R-hat",
        "The posterior is drawn by several runs (chains) from different starts. R-hat compares the spread between them with the "
        "spread within; it is 1 when they agree.",
    ),
    Term(
        "divergences",
        "divergences, energy fraction",
        r"diverg(?:ences|ed)|energy fraction",
        "Two warnings of the sampler: steps whose arithmetic broke down, and (below 0.3) runs that wander too slowly to reach all "
        "of the posterior.",
    ),
    Term(
        "ess",
        "effective sample size (ESS)",
        r"effective sample size|effectively independent draws",
        "Draws of one run resemble each other; this is how many independent draws they are worth, for the middle (bulk) and for "
        "the ends (tail) of the distribution.",
    ),
    Term(
        "encoding",
        "encoding accuracy",
        r"encoding accuracy|encoding R²",
        "How well features predict the brain's response to stimuli held out from the fit: a correlation r, or as R² a share of "
        "variance.",
    ),
    Term(
        "evpi",
        "EVPI, EVPPI, EVSI",
        r"EVPP?I|EVSI",
        "Expected value of information: what a better informed purchase gains on average. EVPI: by knowing everything exactly. "
        "EVPPI: by knowing one thing exactly. EVSI: by what a pilot of a given size would show.",
    ),
    Term(
        "risk",
        "excess risk",
        r"excess risk|risk",
        "Risk is the mean squared error on new stimuli; excess risk is the part of it that is not label noise. Explainable R² is 1 "
        "less the excess risk over the predictable variance.",
    ),
    Term(
        "exchange",
        "exchange rate",
        r"exchange rates?",
        "How many labels would teach as much as a brain sample: the next one (marginal), or those of a purchase on average.",
    ),
    Term(
        "explainable",
        "explainable R²",
        r"explainable R²",
        "The share of the predictable part of a label that the trained model predicts on new stimuli: 1 is perfect, 0 no better "
        "than the average label. Label noise is left out.",
    ),
    Term(
        "interval",
        "interval of 90 %, credible interval",
        r"90(?: |\u00a0|&nbsp;)%(?: |\u00a0|&nbsp;)intervals?|credible interval",
        "A credible interval: it holds the true value with probability 0.9, given the data, the priors and the assumptions; 5 % "
        "lie on either side.",
    ),
    Term(
        "noise",
        "label noise",
        r"label noise",
        "What differs between labels of one stimulus, or cannot be predicted from its features. Stated as a variance, over that of "
        "the predictable part.",
    ),
    Term(
        "latent",
        "latent, latent dimension",
        r"latent dimension|latents?",
        "A direction in the stimulus features that brain responses carry; the latent dimension is the number of them.",
    ),
    Term(
        "leverage",
        "leverage of one person",
        r"leverage",
        "The share of a modality's whole signal that its most informative person brings. Where it is large, the result hangs on "
        "one person.",
    ),
    Term(
        "montecarlo",
        "Monte Carlo standard error",
        r"Monte Carlo(?: standard)? errors?",
        "The error of a number that is an average over random draws, by the draws being finitely many. More computing shrinks it.",
    ),
    Term(
        "ceiling",
        "noise ceiling",
        r"noise ceiling",
        "The accuracy that a perfect model would reach, as the responses themselves are noisy.",
    ),
    Term(
        "prior",
        "prior",
        r"priors?(?! standard)",
        "What was plausible before any data of the study, from the literature or the study file.",
    ),
    Term(
        "posterior",
        "posterior, draw, state of the world",
        r"posterior(?: draws?)?|states? of the world|plausible states?",
        "What is plausible given all data of the study. It is held as some thousand draws; each is one complete state of the world "
        "(alignment, noise, signal), as likely as the next. A probability is the share of draws in which something holds.",
    ),
    Term(
        "r2",
        "R²",
        r"R²",
        "The share of all label variance, noise included, that is predicted on new stimuli; below 0 is worse than guessing the "
        "average.",
    ),
    Term(
        "shift",
        "shift",
        r"\d-fold shift",
        "New stimuli that vary more than the pilot's, by that factor, in directions that the brain's latents do not carry.",
    ),
    Term(
        "snr",
        "signal-to-noise",
        r"signal-to-noise(?: ratios?)?",
        "Variance of the response to the stimuli over the variance of everything else, in one recorded sample.",
    ),
    Term(
        "sobol",
        "Sobol index",
        r"Sobol ind(?:ex|ices)",
        "The share of a forecast's variance that comes from not knowing a parameter: alone (first order), or together with all "
        "that it interacts with (total).",
    ),
    Term(
        "spectrum",
        "spectrum, focus",
        r"spectrum|focus of the (?:task|brain)",
        "The spectrum is how unevenly the features' variance spreads over their directions, strongest first. Focus is how much the "
        "task, or the brain, prefers the strong ones.",
    ),
    Term(
        "se",
        "standard error",
        r"standard errors?",
        "How far an estimate typically lies from the truth.",
    ),
)  # fmt: skip
"""Every term that is explained."""

_PIECES = re.compile(r"(<svg\b.*?</svg>|<script\b.*?</script>|<style\b.*?</style>|<[^>]*>)", re.DOTALL)
_CLOSED = {"a", "button", "code", "dfn", "dl", "h1", "h2", "h3", "header", "label", "nav", "output", "summary", "title"}
"""Elements whose text is left as it is."""
_ELEMENT = re.compile(r"<(/?)([a-z0-9]+)")
_WORDS = re.compile(
    "|".join(
        rf"\b(?P<{term.key.replace('-', '_')}>{term.pattern})(?!\w)"
        for term in sorted(TERMS, key=lambda term: -len(term.pattern))
    ),
    re.IGNORECASE,
)
_BY_GROUP = {term.key.replace("-", "_"): term for term in TERMS}


def _texts(page: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield the pieces of a page: each with whether it is open to links, and whether a section begins with it."""
    inside: list[str] = []
    for piece in _PIECES.split(page):
        tag = _ELEMENT.match(piece)
        if tag is None:
            yield piece, not inside and not piece.startswith("<"), False
            continue
        closing, name = tag.groups()
        if inside and name == inside[-1]:
            inside.pop() if closing else inside.append(name)
        elif not inside and not closing and (name in _CLOSED or 'class="prose' in piece):
            inside.append(name)
        yield piece, False, name in ("section", "details") and not closing


def occurring(page: str) -> list[Term]:
    """Return the terms that occur in a page, in the order of the alphabet."""
    found = {
        word.lastgroup
        for piece, free, _ in _texts(page)
        if free
        for word in _WORDS.finditer(piece)
        if word.lastgroup is not None
    }
    return sorted((_BY_GROUP[group] for group in found), key=lambda term: term.name.casefold())


def linked(page: str) -> str:
    """Return a page with the first occurrence of each term in every section linked to its meaning."""
    out: list[str] = []
    seen: set[str] = set()

    def link(word: re.Match[str]) -> str:
        group = word.lastgroup or ""
        if group in seen:
            return word.group(0)
        seen.add(group)
        term = _BY_GROUP[group]
        said = html.escape(term.meaning)
        return f'<a class="term" href="#term-{term.key}" title="{said}">{word.group(0)}</a>'

    for piece, free, begins in _texts(page):
        if begins:
            seen.clear()
        out.append(_WORDS.sub(link, piece) if free else piece)
    return "".join(out)
