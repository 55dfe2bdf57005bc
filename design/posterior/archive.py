"""The only module that touches ArviZ: chains as labelled data, diagnostics, netCDF.

In: ``Chains`` with names for their axes, draws from the prior, predictive draws, and the constants a forecast needs. Out: ArviZ
data (``InferenceData`` with ArviZ 0.x, ``DataTree`` with 1.x), a table of diagnostics, a file. Errors: a file that is not a
posterior of this study and version (``read_archive`` returns nothing then), or that was damaged or edited (``DamagedArchive``);
the posterior is computed again either way.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float

from brainworth.design.common.files import write_atomic
from brainworth.design.common.messages import one_line, problem
from brainworth.models.posterior.chains import Chains, Mixing

if TYPE_CHECKING:
    import xarray as xr

_KEPT = ("posterior", "sample_stats", "constant_data")
"""Groups that are read again."""
_Arrays = dict[str, np.ndarray]
_OF_PEOPLE = ("gain", "gain_raw")
"""Sites with an entry for every person."""
_FORMER = {"alike": "shared_noise", "alike_quantiles": "shared_noise_quantiles"}
"""Names of constants in archives of earlier versions, and what they are called now."""


class DamagedArchive(Exception):
    """An archive that cannot be trusted; the posterior is computed again."""


DIMS: dict[str, list[str]] = {
    "log_snr": ["modality", "latent"],
    "gain_spread": ["modality"],
    "gain": ["person"],
    "gain_raw": ["person"],
    "loading": ["latent"],
    "loading_raw": ["latent"],
    "latent_power_raw": ["latent"],
    "beyond_raw": ["latent"],
    "noise_level_raw": ["modality"],
    "brain": ["modality", "latent"],
    "slope": ["modality", "latent"],
    "person_slope": ["person", "latent"],
    "encoding_accuracy": ["modality", "latent"],
    "noise_ceiling": ["modality", "latent"],
    "new_person_snr": ["modality"],
}
SAMPLED = ("log_snr", "brain_exponent", "loading", "explainable", "scale")
"""Sites whose mixing is judged."""


@dataclass(frozen=True)
class AxisNames:
    """Labels of the axes."""

    modalities: tuple[str, ...]
    people: tuple[str, ...]
    n_latents: int

    def coords(self) -> dict[str, list[Any]]:
        """Return coordinates by dimension."""
        return {
            "modality": list(self.modalities),
            "person": list(self.people),
            "latent": list(range(1, self.n_latents + 1)),
        }


def _arviz() -> Any:
    """Import ArviZ without its announcement of the next major version, which is no concern of the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz

    return arviz


@dataclass(frozen=True)
class Extras:
    """Groups beside the posterior; every array has the leading axes (chain, draw), but the observed data's."""

    prior: dict[str, np.ndarray] = field(default_factory=dict)
    """Draws of the sites from the prior."""
    prior_predictive: dict[str, np.ndarray] = field(default_factory=dict)
    """What the prior expects the pilot to show (``models.predictive``)."""
    posterior_predictive: dict[str, np.ndarray] = field(default_factory=dict)
    """What the posterior expects the pilot to show."""
    observed_data: dict[str, np.ndarray] = field(default_factory=dict)
    """What it showed."""


def to_arviz(chains: Chains, names: AxisNames, constants: dict[str, np.ndarray], extras: Extras | None = None) -> Any:
    """Return ArviZ data: posterior, sample_stats, log_likelihood, log_prior, constant_data and the groups of ``extras``."""
    az = _arviz()
    more = extras or Extras()
    statistics = dict(chains.statistics)
    statistics["diverging"] = statistics["diverging"].astype(bool)
    everything = {
        "posterior": chains.sites,
        "sample_stats": statistics,
        "log_likelihood": chains.log_likelihood,
        "log_prior": chains.log_prior,
        "prior": more.prior,
        "prior_predictive": more.prior_predictive,
        "posterior_predictive": more.posterior_predictive,
        "observed_data": more.observed_data,
        "constant_data": constants,
    }
    groups = {group: {k: np.asarray(v) for k, v in part.items() if np.size(v)} for group, part in everything.items()}
    groups = {group: part for group, part in groups.items() if part}
    coords = {k: v for k, v in names.coords().items() if v}
    if int(az.__version__.split(".")[0]) >= 1:
        used = {name for part in groups.values() for name in part}
        return az.from_dict(groups, coords=coords, dims={name: axes for name, axes in DIMS.items() if name in used})
    return _inference_data(az, groups, coords)


def _inference_data(az: Any, groups: dict[str, dict[str, np.ndarray]], coords: dict[str, list[Any]]) -> Any:
    """Return ``InferenceData`` of ArviZ 0.x, group by group: its ``from_dict`` knows neither log_prior nor all dims."""
    import xarray as xr

    built: dict[str, Any] = {}
    for group, part in groups.items():
        sampled = group not in {"observed_data", "constant_data"}
        arrays: dict[str, Any] = {}
        for name, value in part.items():
            lead = ["chain", "draw"] if sampled else []
            own = DIMS.get(name, []) if sampled or group == "observed_data" else []
            own = own or [f"{name}_dim_{axis}" for axis in range(value.ndim - len(lead))]
            arrays[name] = (lead + own, value)
        dims = {dim: size for dims, value in arrays.values() for dim, size in zip(dims, value.shape, strict=True)}
        known = {dim: coords[dim] if dim in coords else np.arange(size) for dim, size in dims.items()}
        built[group] = xr.Dataset(arrays, coords=known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of groups that its schema does not list
        return az.InferenceData(**built)


def diagnostics(data: Any) -> dict[str, float]:
    """Return the worst R-hat, the smallest bulk and tail effective sample sizes and the share of divergences."""
    posterior, statistics = data["posterior"], data["sample_stats"]
    sites = {name: posterior[name].values for name in SAMPLED if name in posterior}
    return vars(mixing(Chains(sites, {}))) | {
        "divergences": float(np.mean(statistics["diverging"].values)),
        "bfmi": float(np.min(_bfmi(statistics["energy"].values))),
    }


def mixing(chains: Chains) -> Mixing:
    """Return how well the sites judged have mixed; not a number where a draw is not."""
    az = _arviz()
    each = [column for name in SAMPLED if name in chains.sites for column in _scalars(chains.sites[name])]
    return Mixing(
        rhat=float(np.max([az.rhat(values) for values in each])),
        ess_bulk=float(np.min([az.ess(values, method="bulk") for values in each])),
        ess_tail=float(np.min([az.ess(values, method="tail", prob=(0.05, 0.95)) for values in each])),
    )


def _scalars(values: Float[np.ndarray, "chain draw *shape"]) -> list[Float[np.ndarray, "chain draw"]]:
    """Return every element of a site as an array of its own; those that never vary have nothing to diagnose."""
    flat = np.asarray(values, dtype=float).reshape(*values.shape[:2], -1)
    return [flat[:, :, index] for index in range(flat.shape[2]) if np.ptp(flat[:, :, index]) != 0.0]


def _bfmi(energy: Float[np.ndarray, "chain draw"]) -> Float[np.ndarray, " chain"]:
    return np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1)


def write_archive(data: Any, path: Path) -> None:
    """Write netCDF whole or not at all, with a hash of its content.

    The file is made in memory: a library that meets a full disk half-way leaves the process in no state to go on.

    Raises
    ------
    BadInput
        The folder cannot be written, or the disk is full.
    """
    groups = _groups(data)
    kept = {name: {str(n): value.values for n, value in groups[name].items()} for name in _KEPT}
    data["posterior"].attrs["content"] = _content(kept, data["posterior"].attrs)
    write_atomic(path, _image(_groups(data)))


def _groups(data: Any) -> dict[str, xr.Dataset]:
    """Return the groups of ArviZ data as datasets, with ArviZ 0.x and 1.x alike."""
    names = cast("Iterable[str]", data.groups() if callable(data.groups) else data.children)
    return {str(name): data[name].to_dataset() if hasattr(data[name], "to_dataset") else data[name] for name in names}


def _image(groups: Mapping[str, xr.Dataset]) -> bytes:
    """Return the bytes of a netCDF file of some groups."""
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    image = io.BytesIO()
    with h5netcdf.File(image, "w") as file:
        for name, group in groups.items():
            packed = {
                str(v): {"zlib": True} for v in group.variables if group[v].ndim and group[v].dtype.kind in "fiub"
            }
            group.dump_to_store(H5NetCDFStore(file.create_group(name)), encoding=packed)
    return image.getvalue()


def _content(groups: Mapping[str, _Arrays], attrs: Mapping[str, Any]) -> str:
    """Return a hash of everything that is read from an archive."""
    state = hashlib.sha256(f"{attrs['fingerprint']}:{attrs['notes']}".encode())
    for group in _KEPT:
        for name, values in sorted(groups[group].items()):
            state.update(f"{group}/{name}:{values.shape}".encode())
            text = values.dtype.kind in "OUS"
            state.update("\x1f".join(map(str, values.ravel())).encode() if text else values.astype("<f8").tobytes())
    return state.hexdigest()


def log_densities(path: Path) -> dict[str, Float[np.ndarray, " draw"]]:
    """Return the log density of every draw, chain after chain: ``prior``, and the parts of the likelihood by name.

    Raises
    ------
    BadInput
        If these groups of the file are damaged, which its content hash does not tell.
    """
    import xarray as xr

    found: dict[str, Float[np.ndarray, " draw"]] = {}
    try:
        groups = {
            name: xr.load_dataset(path, group=name, engine="h5netcdf") for name in ("log_prior", "log_likelihood")
        }
    except (OSError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        wrong = f"the log densities of its draws cannot be read ({one_line(error, 120)})"
        raise problem(path, "", wrong, "Delete the file and plan again: the posterior is then fitted anew.") from error
    for group, data in groups.items():
        parts = {str(name): value.values.reshape(-1, *value.shape[2:]) for name, value in data.items()}
        totals = {name: value.reshape(len(value), -1).sum(axis=1) for name, value in parts.items()}
        found |= {"prior": np.sum(list(totals.values()), axis=0)} if group == "log_prior" else totals
    return found


@dataclass(frozen=True)
class SavedChains:
    """What is read from an archive."""

    chains: Chains
    """Chains of the sampler."""
    constants: dict[str, np.ndarray]
    """What a forecast needs besides."""
    notes: dict[str, Any]
    """What was noted of the fit."""


def read_archive(path: Path, fingerprint: str | None) -> SavedChains | None:
    """Return the posterior with this fingerprint, or with any if none is given; ``None`` if there is no such file.

    Raises
    ------
    DamagedArchive
        The file was damaged or edited: it cannot be read, lacks a part, or its content has another hash.
    """
    if not path.is_file():
        return None
    try:
        groups, attrs = _stored(path)
        if fingerprint is not None and attrs["fingerprint"] != fingerprint:
            return None
        notes = json.loads(attrs["notes"])
        whole = attrs.get("content") == _content(groups, attrs) and isinstance(notes, dict)
    except Exception as error:  # damaged files make h5py raise a dozen types of errors
        raise DamagedArchive(one_line(error, 200)) from error
    sites = groups["posterior"]
    if not whole or not all(np.all(np.isfinite(value)) for value in sites.values()):
        raise DamagedArchive("its content is not what was written")
    # A file holds no empty array: nobody has a gain of their own where a modality has one person.
    for name in _OF_PEOPLE:
        sites.setdefault(name, np.zeros((*sites["scale"].shape, 0)))
    statistics = {name: value.astype(float) for name, value in groups["sample_stats"].items()}
    constants = {_FORMER.get(name, name): value for name, value in groups["constant_data"].items()}
    constants.setdefault("person_modality", np.zeros(0))
    return SavedChains(Chains(sites=sites, statistics=statistics), constants, notes)


def _stored(path: Path) -> tuple[dict[str, _Arrays], dict[str, Any]]:
    """Return the variables of the groups that are read again, and what is written at the posterior.

    With h5py: xarray looks up a name for every axis, and takes longer to import than the rest of this takes.
    """
    import h5py

    with h5py.File(path, "r") as file:
        groups: dict[str, Any] = {name: file[name] for name in _KEPT}
        values = {
            name: {str(n): _values(v) for n, v in part.items() if not _is_axis(v)} for name, part in groups.items()
        }
        return values, dict(groups["posterior"].attrs)


def _is_axis(variable: Any) -> bool:
    return variable.attrs.get("CLASS") == b"DIMENSION_SCALE"


def _values(variable: Any) -> np.ndarray:
    return np.asarray(variable.asstr()[()] if variable.dtype.kind == "O" else variable[()])
