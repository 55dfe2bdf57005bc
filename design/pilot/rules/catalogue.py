"""Everything that is checked in data, as the documentation lists it: what is looked for, what is done, and how to answer.

The limits are those of the rules themselves, so that the page cannot state others.
"""

from __future__ import annotations

from dataclasses import dataclass

from brainworth.design.pilot.rules.answers import lines
from brainworth.design.pilot.rules.duplicates import CHANCE
from brainworth.design.pilot.rules.identity import MISSING_WORDS
from brainworth.design.pilot.rules.plausible import CODES, COPY, GROSS, MAX_SIZE, MIN_SPREAD
from brainworth.design.pilot.rules.raters import RATER_WORDS

_READER = "[modality.reader]"


@dataclass(frozen=True)
class Rule:
    """One thing that is checked."""

    topic: str
    """Heading under which the page lists it."""
    what: str
    """What is looked for."""
    done: str
    """What is done when it is found."""
    answer: str = ""
    """Lines of the study file that answer the question, if it is one."""


def _words() -> str:
    return ", ".join(f"`{word}`" for word in sorted(MISSING_WORDS) if word)


def _codes() -> str:
    usual = sorted({abs(code) for code in CODES if abs(code) < 1e6 and code.is_integer()})
    return ", ".join(f"±{code:g}" for code in usual)


def rules() -> tuple[Rule, ...]:
    """Return all rules, in the order of the page."""
    return (
        Rule(
            "Columns",
            "A column that pandas writes for its index: `__index_level_0__`, `Unnamed: 0`, `index`, a named index",
            "left out, with a remark",
        ),
        Rule(
            "Columns",
            "A column called like bookkeeping (run, trial, block, onset, condition), or a key in another spelling (`Session`)",
            "asked about",
            f"{lines(_READER, 'ignore', ['run'])} or {lines(_READER, 'keep', ['run'])}; for features "
            f"{lines('[stimuli]', 'ignore', ['run'])}",
        ),
        Rule(
            "Columns",
            "Values that rise or fall by equal steps, in the table or within every person: a row number, a trial number, a clock",
            "asked about",
            f"{lines(_READER, 'ignore', ['n'])} or {lines(_READER, 'keep', ['n'])}",
        ),
        Rule(
            "Columns",
            f"A feature or channel that is the label itself, in whatever unit (squared correlation from {COPY:.6f})",
            "asked about; a remark if it is the only feature",
            f"{lines('[stimuli]', 'ignore', ['rating'])} or {lines('[stimuli]', 'keep', ['rating'])}",
        ),
        Rule(
            "Columns",
            "A key under another name",
            "refused, with the line that maps it",
            f'[stimuli] columns = {{ word = "stimulus" }}, in [task] and {_READER} likewise',
        ),
        Rule(
            "Raters",
            f"Labels in a column each, called {' or '.join(RATER_WORDS[:3])} (and the like) and a number",
            "read as repeated labels, with a remark that counts them; an empty cell is no label",
        ),
        Rule(
            "Raters",
            "Several columns beside the stimulus, none of them called label: raters, or several scales",
            "asked about",
            '[task] columns = { anna = "label", ben = "label" }',
        ),
        Rule(
            "Raters",
            "A column `rater`",
            "equal labels of two raters are no copies; equal ones of one rater are asked about as such",
        ),
        Rule(
            "Missing values",
            f"Words for no value, in capitals or not: {_words()}",
            "an empty cell among numbers; refused as person, session, group or label (a stimulus may be called na, none or null)",
            lines("[task]", "missing", ["n/a"]),
        ),
        Rule(
            "Missing values",
            f"Codes for no value ({_codes()} and the fill values of netCDF), if they lie beyond all other values by more "
            "than their whole range",
            "asked about, in labels, features and channels",
            f"{lines('[task]', 'missing', [-999])} (such rows are left out) or {lines('[task]', 'missing', [])} (they are real)",
        ),
        Rule(
            "Missing values",
            "Masks of masked arrays, NaN, empty cells",
            "missing; a person may lack a channel, a sample may not",
            lines(_READER, "missing", ["nan"]),
        ),
        Rule(
            "Copies",
            "Samples that equal another one in every channel (rows or people given twice, one sample of two stimuli), if fewer "
            f"than {CHANCE:g} such coincidences are expected by chance",
            "asked about",
            f"{lines(_READER, 'duplicates', 'drop')} or {lines(_READER, 'duplicates', 'keep')}",
        ),
        Rule(
            "Copies",
            "Labels of many digits that occur twice for a stimulus; a table of labels that holds itself twice",
            "asked about",
            f"{lines('[task]', 'duplicates', 'drop')} or {lines('[task]', 'duplicates', 'keep')}",
        ),
        Rule(
            "Copies",
            "Two files of one BIDS run: another format, a proc- or desc- copy, another echo",
            "asked about",
            f'{lines(_READER, "ending", ".vhdr")} or {_READER} entities = {{ proc = "clean" }}',
        ),
        Rule(
            "Copies",
            "A channel that equals another one of the person but for unit and offset; of files read in slices, in 20,000 samples",
            "left out, with a remark",
        ),
        Rule("Copies", "Stimuli with equal features", "a remark"),
        Rule(
            "Numbers",
            "A Gram matrix that is not square, symmetric or positive semi-definite (but for rounding, 1e-6), or lacks a stimulus",
            "refused",
        ),
        Rule(
            "Names",
            "People, stimuli, groups, sessions and classes that differ only in capitals, zero-padding, `.0`, `sub-`, "
            "dashes or blanks",
            "asked about",
            f"{lines('[study.spelling]', 'subject', 'merge')} or {lines('[study.spelling]', 'subject', 'exact')}",
        ),
        Rule("Names", "Accents composed of one or of two characters, no-break space around names", "read as the same"),
        Rule(
            "Numbers",
            "Typographic minus signs, no-break spaces, the line `sep=,` of Excel, decimals of Python",
            "read as what they look like, with a remark",
        ),
        Rule(
            "Numbers", f"Numbers above {MAX_SIZE:g}; columns whose values differ by less than {MIN_SPREAD:g}", "refused"
        ),
        Rule(
            "Numbers",
            f"Labels and features beyond {GROSS:g} interquartile ranges from the median",
            "a remark; samples of far more energy than the others are a health check",
        ),
        Rule(
            "Events and images",
            "An event before the beginning or after the end of its recording; an event longer than its run",
            "refused, with file and row",
        ),
        Rule("Events and images", "Two events at one onset or sample", "refused, with both rows"),
        Rule(
            "Events and images",
            "A header that states another time between volumes than the JSON beside it",
            "asked about",
            lines(_READER, "tr", 2.0),
        ),
        Rule(
            "Events and images",
            "Volumes without values in most voxels (NaN)",
            'left out and counted (refused with noise_model = "ar1")',
        ),
        Rule(
            "Events and images", "Channels without a value in some volumes, constant channels", "left out and counted"
        ),
        Rule(
            "Losses",
            "Epochs that were rejected, leave the recording or are marked bad; rows left out by reader.where; samples "
            "without a value; copies",
            "counted by reason and person: `brainworth check`, `study.remarks`, `study.losses`, and `provenance.losses` "
            "in plan.json",
        ),
        Rule(
            "Files",
            "A path that leaves the folder of the study, by `..`, absolutely or by a link",
            "refused",
            f"{lines('[study]', 'data_root', '/data/eeg')} with --allow-outside, or Study.from_file(..., allow_outside=True)",
        ),
        Rule("Files", "Devices and pipes, damaged containers, links and codecs that could run code", "refused"),
        Rule("Files", "A posterior.nc that was damaged or edited", "computed again, with a remark"),
        Rule("Money", "A budget below the price of a single label, sample or session (8.000 is eight)", "a remark"),
        Rule("Money", "A currency that a spreadsheet would compute as a formula", "refused"),
    )
