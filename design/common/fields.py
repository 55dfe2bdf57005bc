"""Kinds of values in study and system files: text, names, paths, counts, intervals.

In: a value as TOML gives it. Out: pydantic field types and ``Section``, the base of every table. Errors: a value of the wrong
kind or out of range; the message says what it must be.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from brainworth.design.common.messages import quoted
from brainworth.design.common.validation import value_problem

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

MAX_NAME = 64
"""Longest name of a modality, in characters."""


def plain_text(text: str) -> str:
    """Return text without surrounding space, or raise a ``value_problem`` if it is empty or not printable."""
    if not text.strip() or not text.isprintable():
        raise value_problem(f"got {quoted(text)}", "It must be printable text, not empty, without control characters.")
    return text.strip()


def _safe_name(name: str) -> str:
    name = plain_text(name)
    if any(c in name for c in '/\\:*?"<>|=') or name[0] in ".+-@" or name.casefold() == "all":
        raise value_problem(
            f"the name {quoted(name)} cannot be used",
            "A name must not be 'all', begin with one of . + - @, or hold one of / \\ : * ? \" < > | =.",
        )
    return name


def _interval(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise value_problem(f"got {quoted(value)}", "It must be [low, high], a 90 % interval.")
    pair = cast("list[Any] | tuple[Any, ...]", value)
    numbers = [float(v) for v in pair if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(pair) != 2 or len(numbers) != 2 or not 0 <= numbers[0] < numbers[1] < math.inf:
        raise value_problem(f"got {quoted(value)}", "It must be [low, high], a 90 % interval with 0 <= low < high.")
    return (numbers[0], numbers[1])


def _not_reversed(keys: tuple[str, ...]) -> Callable[[object], object]:
    """Return a validator that knows a mapping written the wrong way round."""

    def check(value: object) -> object:
        for name, key in cast("dict[Any, Any]", value).items() if isinstance(value, dict) else ():
            if name in keys and isinstance(key, str) and key not in keys:
                right = f"Write the name in your table first: columns = {{ {json.dumps(key)} = {json.dumps(name)} }}."
                raise value_problem(f"got {name} = {quoted(key)}", right)
        return value

    return check


def _once(mapping: dict[str, str]) -> dict[str, str]:
    keys = list(mapping.values())
    for name, key in mapping.items():
        if keys.count(key) > 1 and key != "label":
            raise value_problem(f"{quoted(name)} and another column are both {quoted(key)}", "Each key is one column.")
    return mapping


def _missing_values(values: list[float | str]) -> list[float | str]:
    return [value.strip() if isinstance(value, str) else float(value) for value in values]


Text = Annotated[str, Field(max_length=200), AfterValidator(plain_text)]
Columns = Annotated[list[Text], Field(max_length=10_000)]
"""Names of columns."""
_StimulusKey = Literal["stimulus", "group"]
_LabelKey = Literal["stimulus", "label", "rater"]
_RecordingKey = Literal["subject", "stimulus", "session", "repeat"]
_Few = Field(max_length=10_000)
StimulusColumns = Annotated[
    dict[Text, _StimulusKey], _Few, BeforeValidator(_not_reversed(get_args(_StimulusKey))), AfterValidator(_once)
]
"""Which columns of the stimuli are keys, by their names in the table."""
LabelColumns = Annotated[
    dict[Text, _LabelKey], _Few, BeforeValidator(_not_reversed(get_args(_LabelKey))), AfterValidator(_once)
]
"""Which columns of the labels are keys, by their names in the table."""
RecordingColumns = Annotated[
    dict[Text, _RecordingKey], _Few, BeforeValidator(_not_reversed(get_args(_RecordingKey))), AfterValidator(_once)
]
"""Which columns of recordings are keys, by their names in the table."""
MissingValues = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(max_length=200)]],
    Field(max_length=100),
    AfterValidator(_missing_values),
]
"""Numbers and texts that mean "no value"."""
Name = Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_safe_name)]
RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(plain_text)]
Interval = Annotated[tuple[float, float], BeforeValidator(_interval)]
Count = Annotated[int, Field(ge=1, le=10**12)]
CountOrZero = Annotated[int, Field(ge=0, le=10**12)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A table of the study file: unknown keys are errors, values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add what the source says of each key: read for the schema alone, since pydantic would read it for every command."""
        found = handler(core_schema)
        names = {field.alias or name: name for name, field in cls.model_fields.items()}
        said = {name: text for base in reversed(cls.__mro__) if issubclass(base, Section) for name, text in _said(base)}
        for key, entry in handler.resolve_ref_schema(found)["properties"].items():
            if names[key] in said:
                entry.setdefault("description", said[names[key]])
        return found


def _said(section: type[Section]) -> Iterator[tuple[str, str]]:
    """Yield each key of a table and the text under it in the source."""
    (table,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    for entry, below in pairwise(cast("ast.ClassDef", table).body):
        match entry, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
            case _:
                pass
