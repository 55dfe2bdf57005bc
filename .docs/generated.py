"""Pages that are made from the project itself: study keys, commands, modules, case studies.

In: the installed package, and the folder of the case studies. Out: Markdown. Errors: a case study without a title, a table of the
study file without a section (``ValueError``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CASES = ROOT / "case_studies"
STUDY_INTRO = """\
# Study file

Every key of `study.toml`, made from the schema that `brainworth schema` prints. An unknown key is an error. Paths are relative to
the study file and cannot leave its folder. Money is a number, or `[low, high]` as a 90 % interval; the upper end is charged."""
COMMANDS_INTRO = """\
# Commands

Exit codes: 0 done · 2 bad input · 3 infeasible (names the binding constraint and the nearest feasible value) · 4 the pilot's health
check refuses · 130 interrupted. Errors are one paragraph on stderr; `--debug` adds the traceback."""
CHECKS_INTRO = """\
# What brainworth checks in your data

A wrong plan from a file that looks fine is the worst thing a planner can do. So all formats (csv, parquet, npz, HDF5, netCDF, zarr,
MNE epochs, BIDS, NIfTI, frames and arrays in memory, read at once or in slices) are checked by the same rules. What is certain is
refused, or mended with a remark. What is doubtful is asked about, and the message shows the lines of `study.toml` that answer it.
This page is made from the rules."""
CHECKS_UNITS = """\
## What may change a plan, and what may not

Units do not count: each channel may have its own (tesla beside volt), and so may the labels, all features together, and money. The
order of rows, channels, people and files, other ids, and offsets of channels do not count either. The plans then agree within the
Monte Carlo error of the sampler, which the report states.

Two orders do count. Samples of a person are read as they follow each other in time, where their noise is correlated in time. The
order of stimuli decides which groups are held out together, so that another order is another draw of the folds.

What does count is the **proportion of the features to each other**. An embedding says by its variances which directions matter;
features in unlike units (letters, decibels) say nothing by them. brainworth tries both, raw and standardised features, and keeps
what explains recordings and labels better. To multiply one feature by ten changes the raw variant, and can change the plan;
standardise features of unlike units yourself if you want to rule that out."""
MODULES_INTRO = """\
# Modules

Data flows one way: study → pilot → statistics → posterior → performance → allocation → report. `brainworth.models` is pure JAX and
NumPy and never imports `brainworth.design`, which touches everything outside. Each module says what goes in and what comes out, and
its errors and limits; public functions have docstrings (`help(...)`)."""
CASES_INTRO = """\
# Case studies

Short articles, each with one command that makes every number in it. Those with real data check a forecast on data that the
planner never saw, and say where it failed.
"""
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


# ---------------------------------------------------------------------------------------------- keys of the study file


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the kind of value a key takes, in words."""
    if "$ref" in schema:
        return "a table"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        parts = [_kind(part) for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if schema.get("type") == "array":
        pair = "prefixItems" in schema or schema.get("maxItems") == 2 == schema.get("minItems")
        return "[low, high]" if pair else f"list of {_kind(schema.get('items', {})).replace('a table', 'tables')}"
    words = {"object": "a table", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(schema.get("type", ""), "text") + _limits(schema)


def _limits(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
    }
    found = [text.format(f"{schema[key]:g}") for key, text in words.items() if key in schema and schema[key] < 1e9]
    return f" ({', '.join(found)})" if found else ""


def _default(name: str, schema: Mapping[str, Any], required: list[str]) -> str:
    if name in required:
        return "*required*"
    default = schema.get("default")
    if isinstance(default, dict) and set(default) == {"low", "high"}:
        default = f"{default['low']:g}"  # a price
    if isinstance(default, dict):
        return "its own keys'"
    return "–" if default in (None, []) else f"`{default}`".replace("True", "true").replace("False", "false")


def _section(title: str, schema: Mapping[str, Any]) -> str:
    rows = [f"## `{title}`", "", "| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, entry in schema.get("properties", {}).items():
        meaning = entry.get("description", "")
        kind, default = _kind(entry), _default(name, entry, schema.get("required", []))
        rows.append(f"| `{name}` | {_cell(kind)} | {_cell(default)} | {_cell(meaning)} |")
    return "\n".join(rows)


SECTIONS = {
    "[study]": "About",
    "[study.spelling]": "Spelling",
    "[stimuli]": "Stimuli",
    "[[stimuli.block]]": "Block",
    "[task]": "Task",
    "[[modality]]": "Modality",
    "[modality.cost]": "Cost",
    "[modality.design]": "Limits",
    "[modality.reader]": "Reader",
    "[budget]": "Budget",
    "[objective]": "Objective",
    "[design]": "StudyDesign",
    "[[constraint]]": "Constraint",
    "[system]": "KnownSystem",
    "[priors]": "Priors",
    "[priors.modality.NAME]": "ModalityPrior",
    "tiers": "Tier",
}


def study_keys() -> str:
    """Return the reference of study keys, from the schema that ``brainworth schema`` prints."""
    from brainworth.design.study_file.config import StudyConfig

    definitions = StudyConfig.model_json_schema()["$defs"]
    missing = set(definitions) - set(SECTIONS.values())
    if missing:
        raise ValueError(f"The reference of study keys has no section for {sorted(missing)}: add it to SECTIONS.")
    parts = [STUDY_INTRO]
    parts += [_section(title, definitions[name]) for title, name in SECTIONS.items()]
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------------------------------------- rules


def checks() -> str:
    """Return the page on what is checked in data, from the catalogue of the rules."""
    from brainworth.design.pilot.rules.catalogue import rules

    parts, head = (
        [CHECKS_INTRO],
        "| what is looked for | what is done | the answer in `study.toml` |\n| --- | --- | --- |",
    )
    for topic in dict.fromkeys(rule.topic for rule in rules()):
        rows = [
            f"| {_cell(rule.what)} | {_cell(rule.done)} | {f'`{_cell(rule.answer)}`' if rule.answer else '–'} |"
            for rule in rules()
            if rule.topic == topic
        ]
        parts.append("\n".join([f"## {topic}", "", head, *rows]))
    return "\n\n".join([*parts, CHECKS_UNITS]) + "\n"


# ---------------------------------------------------------------------------------------------- commands


def commands() -> str:
    """Return the reference of the command line, from the application itself."""
    import typer

    from brainworth.design.cli.app import app

    root: Any = typer.main.get_command(app)
    parts = [COMMANDS_INTRO]
    for name, command in root.commands.items():
        parts.append(_command(f"brainworth {name}", command))
        parts += [
            _command(f"brainworth {name} {sub}", entry) for sub, entry in getattr(command, "commands", {}).items()
        ]
    return "\n\n".join(parts) + "\n"


def _argument(entry: Any) -> str:
    return entry.metavar or entry.name.upper()


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([name, *(_argument(p) for p in arguments)])
    text, _, example = (command.help or "").partition("Example:")
    lines = [f"## {name}", "", _cell(text), ""]
    lines += ["```text", f"{usage} [options]", *([f"# e.g.  {_cell(example)}"] if example else []), "```", ""]
    if command.params:
        lines += ["| argument or option | meaning | default |", "| --- | --- | --- |"]
    for entry in command.params:
        shown = _argument(entry) if entry in arguments else ", ".join(entry.opts)
        default = entry.default if isinstance(entry.default, str | int | float | Path) else None
        shows = default is not None and not isinstance(default, bool)
        lines.append(f"| `{shown}` | {_cell(entry.help or '')} | {f'`{default}`' if shows else '–'} |")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------- modules


def modules() -> str:
    """Return what every module says of itself: first paragraph, and what goes in and comes out."""
    parts = [MODULES_INTRO]
    for package in ("models", "design"):
        parts.append(f"## brainworth.{package}")
        for path in sorted((ROOT / package).rglob("*.py")):
            said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            if not said or path.name == "__init__.py":
                continue
            name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            first = said.replace("``", "`").split("\n\n")
            kept = [" ".join(paragraph.split()) for paragraph in first[:2] if not paragraph.lstrip().startswith("=")]
            parts.append(f"**`{name}`**\n: " + " ".join(_plain(text) for text in kept))
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Return text in which stars, brackets and underscores outside of code mean themselves."""
    pieces = text.split("`")
    shown = [
        re.sub(r"([*_\[\]<>|$^~\\])", r"\\\1", piece) if i % 2 == 0 else f"`{piece}`" for i, piece in enumerate(pieces)
    ]
    return "".join(shown)


# ---------------------------------------------------------------------------------------------- case studies


def cases() -> Iterator[tuple[str, str]]:
    """Yield name and page of every case study: its README, with links to folders turned into plain names."""
    for readme in sorted(CASES.glob("*/README.md")):
        yield (
            readme.parent.name,
            _LINK.sub(lambda found, at=readme.parent: _linked(found, at), readme.read_text("utf-8")),
        )


def linked_files(name: str, page: str) -> Iterator[Path]:
    """Yield the files of a case study, other than pages, that its page shows or links to."""
    for _, _, target, _ in _LINK.findall(page):
        path = CASES / name / target
        if "://" not in target and path.is_file() and path.suffix != ".md":
            yield path.resolve()


def _linked(found: re.Match[str], folder: Path) -> str:
    target = found[3]
    if "://" in target:
        return found[0]
    path = (folder / target).resolve()
    if path.is_dir() or (path.is_file() and path.suffix == ".md" and path.name != "README.md"):
        return f"`{found[2].strip('`')}`"
    return found[0]


def titles() -> dict[str, str]:
    """Return the title of every case study, by name."""
    found: dict[str, str] = {}
    for name, page in cases():
        title = re.match(r"# (.+)\n", page)
        if title is None:
            raise ValueError(f"case_studies/{name}/README.md does not start with a title.")
        found[name] = title[1]
    return found


def cases_index() -> str:
    """Return the page that lists the case studies."""
    lines = [CASES_INTRO]
    lines += [f"* [{title}]({name}/README.md) (`case_studies/{name}`)" for name, title in titles().items()]
    return "\n".join(lines) + "\n"
