"""What a column is, and what a key means: the rules that need names only.

In: names of columns, texts of cells. Out: keys as clean text, which of them are missing, how spellings compare, and which columns
are numbers of the study. A column that pandas adds for its index is left out with a remark; a column that is called like
bookkeeping (run, onset, trial, a second spelling of a key) is asked about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import did_you_mean, problem, quoted, quoted_list
from brainworth.design.pilot.rules.answers import Answers, either

MISSING_WORDS = frozenset(
    ("", "n/a", "na", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none", "nat", "?", "missing", "#value!", "nil")
)
"""Texts, in small letters, that mean "no value" in a label, a person, a session, a group or a number."""
NO_ID = frozenset(("", "n/a", "#n/a", "<na>", "?", "#value!"))
"""Texts that mean "no value" in the id of a stimulus; "na", "none" and "null" are also words, and words are stimuli."""
EMPTY_CELLS = tuple(
    sorted({form for word in MISSING_WORDS for form in (word, word.upper(), word.capitalize(), word.title())} | {"NaN"})
)
"""Cells of a numeric column that are read as "no value"."""
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+(_level_\d+)?|level_\d+", re.IGNORECASE)
_KINDS = "|".join(
    (
        *(
            "subject",
            "subj",
            "participant",
            "person",
            "stimulus",
            "stim",
            "stimuli",
            "session",
            "sess",
            "ses",
            "repeat",
        ),
        *(
            "repetition",
            "presentation",
            "group",
            "run",
            "trial",
            "block",
            "epoch",
            "event",
            "onset",
            "offset",
            "duration",
        ),
        *("time", "timestamp", "latency", "sample", "row", "index", "order", "condition", "label", "item", "id"),
    )
)
_BOOKKEEPING = re.compile(f"({_KINDS})s?(id|nr|no|num|number|index|idx|code|name|ms|sec|seconds|s)?")
_ALSO_FEATURES = re.compile("(duration|time|latency|order|sample|offset|condition|row|event)(s|ms|sec|seconds)?")
"""Names that are bookkeeping among channels, but may well be what a stimulus is described by."""
_PREFIX = re.compile(r"^(sub|subj|subject|participant|ses|sess|session|run|group)_+")


def clean_text(text: str) -> str:
    """Return a text in composed Unicode (an accent is one character) and without space, no-break space included, around it."""
    return unicodedata.normalize("NFC", text).strip()


def is_missing(text: str, key: str, answers: Answers | None = None) -> bool:
    """Return whether the text of a key (subject, session, group, label, stimulus) means "no value"."""
    small = text.strip().casefold()
    if answers is not None and answers.missing is not None and key == "label":
        return not small or text.strip() in answers.words
    return small in (NO_ID if key in ("stimulus", "type") else MISSING_WORDS)


def folded(text: str) -> str:
    """Return what is left of a key when its spelling is disregarded: capitals, zero-padding, ``.0``, ``sub-``, space and dashes."""
    text = unicodedata.normalize("NFKC", text).casefold().strip()
    text = _PREFIX.sub("", re.sub(r"[-_\s]+", "_", text))
    text = re.sub(r"^(\d+)\.0+$", r"\1", text)
    return re.sub(r"(?<![\d.])0+(?=\d)", "", text)


def is_index(name: str) -> bool:
    """Return whether a column is the row number that pandas writes without being asked."""
    return _INDEX.fullmatch(name.strip()) is not None or name.strip() == "index"


def is_bookkeeping(name: str, word: str = "channel") -> bool:
    """Return whether a column's name says that it describes the row rather than what was measured."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    if _BOOKKEEPING.fullmatch(plain) is None:
        return False
    return word != "feature" or _ALSO_FEATURES.fullmatch(plain) is None


def renamed(names: Iterable[str], answers: Answers, source: str) -> list[str]:
    """Return the names of columns as the study means them: those that ``columns`` maps to a key are called by the key.

    Columns of which several are mapped to ``label`` keep their names: they are raters' (``rules.raters``).

    Raises
    ------
    BadInput
        A mapped column is not there, or the table has the key already.
    """
    names, place = list(names), f"{answers.section} columns"
    for name in answers.columns:
        if name not in names and not answers.may_lack:
            right = f"The columns are {quoted_list(names)}.{did_you_mean(name, names)}"
            raise problem(source, place, f"there is no column {quoted(name)}", right)
    keys = list(answers.columns.values())
    new = {name: key for name, key in answers.columns.items() if keys.count(key) == 1}
    for name, key in answers.columns.items():
        if name in names and key in names and key not in answers.columns:
            right = f"Take {quoted(name)} out of columns, or call the column {quoted(key)} otherwise."
            raise problem(
                source, place, f"{quoted(name)} is to be {quoted(key)}, and there is a column of that name", right
            )
    return [new.get(name, name) for name in names]


def require_known(names: Iterable[str], answers: Answers, source: str) -> None:
    """Raise ``BadInput`` if ``ignore`` or ``keep`` names a column that the table does not have."""
    names = list(names)
    for key in ("ignore", "keep"):
        for name in getattr(answers, key):
            if name not in names:
                place = f"{answers.section} {key}"
                right = f"The columns are {quoted_list(names)}.{did_you_mean(name, names)}"
                raise problem(source, place, f"there is no column {quoted(name)}", right)


def measured(names: Sequence[str], answers: Answers, source: str, word: str) -> tuple[list[str], list[str]]:
    """Return which of the columns that are no keys are used as numbers, and which are left out.

    Parameters
    ----------
    names : sequence of str
        All columns but the keys.
    answers : Answers
        What the study file says about them.
    source : str
        How messages call the table.
    word : str
        What a column is called: feature, channel.

    Raises
    ------
    BadInput
        A column is called like bookkeeping, and the study file does not say what it is.
    """
    out = [n for n in names if n in answers.ignore or (is_index(n) and n not in answers.keep)]
    used = [n for n in names if n not in out]
    doubtful = [n for n in used if is_bookkeeping(n, word) and n not in answers.keep]
    if doubtful:
        raise _ask(doubtful, answers, source, word)
    return used, out


def _ask(doubtful: list[str], answers: Answers, source: str, word: str) -> BadInput:
    what = f"{quoted_list(doubtful)} {'is' if len(doubtful) == 1 else 'are'} called like bookkeeping, not like a {word}"
    options = [
        (answers.lines("ignore", doubtful), "leave out"),
        (answers.lines("keep", doubtful), f"use as a {word}"),
    ]
    keys = "subject, stimulus, session or repeat" if word == "channel" else "stimulus or group"
    start = f"A key is a column called exactly {keys}: rename it if this is one."
    return problem(source, f"column {quoted(doubtful[0])}", what, either(start, options))
