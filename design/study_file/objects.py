"""The blocks of a study as objects, for studies that are made in Python: as in the study file, and checked when they are made."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from brainworth.design.common.validation import explain
from brainworth.design.study_file import aim, config, modality


class _Checked(BaseModel):
    """A block whose mistakes are told as those of a study file are."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            kind = type(self)
            raise explain(error, kind, kind.__name__, given) from None


class Task(_Checked, config.Task):
    """The task and the price of its labels: the keys of [task]."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class Modality(_Checked, modality.Modality):
    """One kind of recording that can be bought: the keys of [[modality]]."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class Cost(_Checked, modality.Cost):
    """What recordings of one modality cost: the keys of [modality.cost]."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class Limits(_Checked, modality.Limits):
    """Which designs of a modality are possible: the keys of [modality.design]."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class Budget(_Checked, aim.Budget):
    """What may be spent: the keys of [budget]."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class Objective(_Checked, aim.Objective):
    """Which plan is best: the keys of [objective]."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
