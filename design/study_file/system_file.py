"""System files: known parameters of a stimulus - brain - task system.

In: ``system.toml``. Out: ``NamedSystem``, a ``models.system.System`` with the names of its sources. What can go
wrong: unknown keys, values out of range, latents that do not match; each is a ``BadInput`` naming the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from brainworth.design.common.errors import BadInput
from brainworth.design.common.fields import Name, Section
from brainworth.design.common.messages import did_you_mean, one_line, problem, quoted, quoted_list
from brainworth.design.common.toml_files import read_toml
from brainworth.design.common.validation import explain, value_problem

if TYPE_CHECKING:
    from brainworth.models.theory.system import System

MAX_DIMENSION = 100_000

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class SpectrumFile(Section):
    """[spectrum]: shares h_i of a latent's variance on the features' principal directions, up to a factor."""

    dimension: Annotated[int, Field(ge=1, le=MAX_DIMENSION)] | None = None
    """Number of features."""
    exponent: Annotated[float, Field(ge=0, le=10)] | None = None
    """h_i proportional to i^-exponent; 0 is isotropic."""
    values: Annotated[list[Positive], Field(min_length=1, max_length=MAX_DIMENSION)] | None = None
    """The shares themselves, instead of dimension and exponent."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.values is None) == (self.dimension is None):
            raise value_problem("neither or both forms are given", "Give dimension and exponent, or values.")
        if (self.exponent is None) != (self.dimension is None):
            raise value_problem("dimension and exponent do not come together", "Give both, or values alone.")
        return self


class SourceFile(Section):
    """[[source]]: one modality."""

    name: Name
    """Name, matched to the modalities of a study."""
    channels: Annotated[int, Field(ge=1, le=10**7)]
    """Number of noise-whitened channels."""
    snr: Annotated[list[NotNegative], Field(min_length=1, max_length=64)]
    """Signal-to-noise ratio of each latent in one sample, summed over channels."""


class SystemFile(Section):
    """A system file."""

    signal_variance: Positive = 1.0
    """Explainable variance of the label."""
    noise_variance: Positive
    """Label noise variance."""
    alignment: Annotated[list[NotNegative], Field(min_length=1, max_length=64)]
    """Share of the explainable variance carried by each latent; at most 1 in all."""
    spectrum: SpectrumFile
    """Feature spectrum."""
    source: Annotated[list[SourceFile], Field(min_length=1, max_length=64)]
    """The modalities, one [[source]] block each."""

    @model_validator(mode="after")
    def _latents_match(self) -> Self:
        total = sum(self.alignment)
        if total > 1 + 1e-9:
            raise value_problem(f"the alignment sums to {total:g}", "It is a list of shares: their sum is at most 1.")
        seen: set[str] = set()
        for source in self.source:
            if source.name.casefold() in seen:
                raise value_problem(f"two sources are called {quoted(source.name)}", "Give each a name of its own.")
            seen.add(source.name.casefold())
            if len(source.snr) != len(self.alignment):
                raise value_problem(
                    f"source {quoted(source.name)} has {len(source.snr)} snr, alignment {len(self.alignment)}",
                    "Both have one entry per latent.",
                )
        return self


@dataclass(frozen=True)
class NamedSystem:
    """A system and the names of its sources."""

    system: System
    """The parameters."""
    sources: tuple[str, ...]
    """Name of each source, in the order of ``system.snr``."""

    def reordered(self, names: tuple[str, ...], file: object) -> NamedSystem:
        """Return the system with exactly the sources ``names``, or raise ``BadInput`` naming one that is missing."""
        for name in names:
            if name not in self.sources:
                hint = did_you_mean(name, self.sources)
                raise problem(
                    file,
                    "source",
                    f"no source is called {quoted(name)}",
                    f"The sources are {quoted_list(self.sources)}.{hint}",
                )
        rows = np.array([self.sources.index(name) for name in names])
        chosen = replace(self.system, snr=self.system.snr[rows, :], channels=self.system.channels[rows])
        return NamedSystem(chosen, names)


def parse_system(data: Mapping[str, Any], file: object = "the system") -> NamedSystem:
    """Return the system described by parsed TOML, or raise ``BadInput`` naming the key that is wrong."""
    try:
        parsed = SystemFile.model_validate(dict(data))
    except ValidationError as error:
        raise explain(error, SystemFile, file, data) from None
    import jax.numpy as jnp

    from brainworth.models.theory.system import Spectrum, System

    shape = parsed.spectrum
    if shape.values is not None:
        spectrum = Spectrum(variance=jnp.array(shape.values), count=jnp.ones(len(shape.values)))
    else:
        spectrum = Spectrum.power_law(shape.dimension or 1, shape.exponent or 0.0)
    system = System(
        spectrum=spectrum,
        signal_variance=jnp.array(parsed.signal_variance),
        noise_variance=jnp.array(parsed.noise_variance),
        alignment=jnp.array(parsed.alignment),
        snr=jnp.array([source.snr for source in parsed.source]),
        channels=jnp.array([float(source.channels) for source in parsed.source]),
        brain_exponent=jnp.array(1.0),
        task_exponent=jnp.array(1.0),
    )
    try:
        return NamedSystem(system.checked(), tuple(source.name for source in parsed.source))
    except ValueError as error:
        raise BadInput(one_line(f"{file}: {error}")) from None


def read_system(path: Path, name: object | None = None) -> NamedSystem:
    """Return the system in a file.

    Parameters
    ----------
    path : Path
        The system file.
    name : object, optional
        How messages call it; default its path.

    Raises
    ------
    BadInput
        The file is missing or not a valid system.
    """
    name = path if name is None else name
    return parse_system(read_toml(path, name), name)
