"""The base of every result: a frozen record with attributes, that is written to JSON and read back by the same class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from brainworth.design.common.errors import UnknownName
from brainworth.design.common.messages import did_you_mean, quoted

Number = float | None
"""A number, or None where none could be stated."""


_SHOWN, _LONG = 12, 60
"""Fields of a record, and characters of a value, that its text shows."""


def _short(value: object) -> str:
    if isinstance(value, Record):
        return f"{type(value).__name__}(...)"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple | dict) and len(value) > 4:
        return f"<{len(value)} entries>"
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


class Record(BaseModel):
    """A frozen result. ``record["name"]`` is ``record.name``; what a newer version has added is kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    def __getitem__(self, key: str) -> Any:
        names = {field.serialization_alias or name: name for name, field in type(self).model_fields.items()}
        if key in names:
            return getattr(self, names[key])
        more = self.model_extra or {}
        if key not in more:
            hint = did_you_mean(str(key), [*names, *more])
            raise UnknownName(f"{type(self).__name__} has no field {quoted(key)}.{hint}")
        return more[key]

    def __repr__(self) -> str:
        """Return a few lines, whatever the record holds."""
        fields = [f"{name}={_short(value)}" for name, value in self if value is not None]
        more = f", ... and {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else ""
        return f"{type(self).__name__}({', '.join(fields[:_SHOWN])}{more})"

    def __str__(self) -> str:
        return repr(self)


R = TypeVar("R", bound=Record)


def with_fields(record: R, **fields: Any) -> R:
    """Return a record with some fields set; a name that it does not have is an error."""
    unknown = fields.keys() - type(record).model_fields.keys()
    if unknown:
        raise TypeError(f"{type(record).__name__} has no field {', '.join(sorted(unknown))}.")
    return record.model_copy(update=fields)


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: records as objects, what is not finite as null."""
    if isinstance(value, Record):
        return plain(value.model_dump(by_alias=True, exclude_unset=True))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
