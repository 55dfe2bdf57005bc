"""What pydantic finds wrong with a file, in words: the place as the user wrote it, what is wrong, what would be right.

In: a ``ValidationError`` with the model that raised it, and the data. Out: a ``BadInput`` of one paragraph.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from brainworth.design.common.errors import BadInput
from brainworth.design.common.hints import number_hint, share_hint
from brainworth.design.common.messages import MAX_SHOWN, did_you_mean, one_line, problem, quoted

_OWN = "brainworth"

_TYPE_WORDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "list_type": "a list, [a, b, ...]",
    "tuple_type": "a list, [a, b, ...]",
    "model_type": "a table, [section]",
    "model_attributes_type": "a table, [section]",
    "dict_type": "a table, [section]",
}


def value_problem(wrong: str, right: str) -> PydanticCustomError:
    """Return the ``ValueError`` a validator raises: what is wrong (no full stop), what would be right (a sentence)."""
    return PydanticCustomError(_OWN, "{wrong}. {right}", {"wrong": wrong, "right": right})


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the pydantic models inside a type annotation, unwrapping lists, dicts, unions and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for inner in typing.get_args(annotation):
        if not isinstance(inner, types.NoneType):
            found += _models_in(inner)
    return found


def known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed in the table at ``location`` of a file described by ``model``."""
    current: type[BaseModel] | None = model
    for step in location:
        if current is None:
            return []
        field = {(f.alias or name): f for name, f in current.model_fields.items()}.get(str(step))
        if field is not None:
            inner = _models_in(field.annotation)
            current = inner[0] if inner else None
    return [f.alias or name for name, f in current.model_fields.items()] if current else []


def field_name(location: tuple[int | str, ...], data: object) -> str:
    """Return the place as the user wrote it: ``modality 'EEG' > cost > per_sample``."""
    parts: list[str] = []
    for step in location:
        if isinstance(step, int):
            data = cast("list[Any]", data)[step] if isinstance(data, list) and step < len(data) else None
            name = cast("dict[str, Any]", data).get("name") if isinstance(data, dict) else None
            label = quoted(name) if isinstance(name, str) else f"number {step + 1}"
            parts[-1:] = [f"{parts[-1]} {label}" if parts else label]
        elif step.startswith("function-") or step in {"float", "int", "list[float]", "tuple[float, float]"}:
            continue
        else:
            data = data.get(step) if isinstance(data, dict) else None
            parts.append(one_line(step, MAX_SHOWN))
    return " > ".join(parts)


def _sentences(model: type[BaseModel], error: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong and what would be right for one pydantic error."""
    kind, got, ctx = error["type"], error["input"], error.get("ctx", {})
    last = str(error["loc"][-1]) if error["loc"] else ""
    shown = "a table" if isinstance(got, Mapping) else quoted(got)
    if kind == "extra_forbidden":
        keys = known_keys(model, error["loc"][:-1])
        return (
            f"unknown key {quoted(last)}",
            f"{did_you_mean(last, keys).strip()} Known keys: {', '.join(keys)}.".strip(),
        )
    if kind == "missing":
        return f"the key {quoted(last)} is missing", f"Add {one_line(last, MAX_SHOWN)} = ..."
    if kind == "literal_error":
        hint = did_you_mean(str(got), [w.strip("' ") for w in str(ctx["expected"]).replace(" or ", ",").split(",")])
        return f"got {shown}", f"It must be one of {ctx['expected']}.{hint}"
    if kind == _OWN:
        return str(ctx["wrong"]), str(ctx["right"])
    if kind in _TYPE_WORDS:
        hint = number_hint(got) if isinstance(got, str) and "number" in _TYPE_WORDS[kind] else ""
        return f"got {shown}", f"It must be {_TYPE_WORDS[kind]}.{hint}"
    hint = share_hint(got, ctx.get("lt", ctx.get("le")))
    return f"got {shown}", f"{error['msg'].replace('Input should', 'It should')}.{hint}"


def explain(error: ValidationError, model: type[BaseModel], file: object, data: object) -> BadInput:
    """Return the ``BadInput`` for the first problem pydantic found in ``data`` read from ``file``.

    Validators of the models raise ``value_problem(what is wrong, what would be right)``.
    """
    errors = error.errors(include_url=False)
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    wrong, right = _sentences(model, first)
    others = len({e["loc"] for e in errors}) - 1
    more = f" ({others} more problem{'s' if others > 1 else ''} in this file.)" if others else ""
    return problem(file, field_name(first["loc"], data), wrong, right + more)
