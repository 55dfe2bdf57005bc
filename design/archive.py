"""The only module that touches ArviZ: chains as labelled data, diagnostics, netCDF.

In: ``Chains`` with names for their axes, and the constants a forecast needs. Out: ArviZ data (``InferenceData`` with
ArviZ 0.x, ``DataTree`` with 1.x), a table of diagnostics, a file. What can go wrong: a file that is not a posterior of
this version; ``read_archive`` returns nothing then, and the posterior is computed again.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.models.inference import Chains

DIMS: dict[str, list[str]] = {
    "log_snr": ["modality", "latent"],
    "log_snr_raw": ["modality", "latent"],
    "slope_level": ["modality", "latent"],
    "gain_spread": ["modality"],
    "gain": ["person"],
    "gain_raw": ["person"],
    "loading": ["latent"],
    "loading_raw": ["latent"],
}
SAMPLED = ("log_snr", "brain_exponent", "loading", "explainable", "scale")
"""Sites whose mixing is judged."""


@dataclass(frozen=True)
class Names:
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


def to_arviz(chains: Chains, names: Names, constants: dict[str, np.ndarray], attrs: dict[str, str]) -> Any:
    """Return ArviZ data with the groups posterior, sample_stats and constant_data."""
    az = _arviz()
    posterior = {name: values for name, values in chains.sites.items() if values.size}
    statistics = dict(chains.statistics)
    statistics["diverging"] = statistics["diverging"].astype(bool)
    dims = {name: dims for name, dims in DIMS.items() if name in posterior}
    coords = {k: v for k, v in names.coords().items() if v}
    if int(az.__version__.split(".")[0]) >= 1:
        data = az.from_dict(
            {"posterior": posterior, "sample_stats": statistics, "constant_data": constants}, coords=coords, dims=dims
        )
    else:
        data = az.from_dict(
            posterior=posterior, sample_stats=statistics, constant_data=constants, coords=coords, dims=dims
        )
    for key, value in attrs.items():
        data["posterior"].attrs[key] = value
    return data


def diagnostics(data: Any) -> dict[str, float]:
    """Return the worst R-hat, the smallest bulk and tail effective sample sizes and the share of divergences."""
    az = _arviz()
    posterior = data["posterior"]
    names = [name for name in SAMPLED if name in posterior]
    worst = {
        "rhat": max(float(np.nanmax(az.rhat(posterior[[n]])[n].values)) for n in names),
        "ess_bulk": min(float(np.nanmin(az.ess(posterior[[n]], method="bulk")[n].values)) for n in names),
        "ess_tail": min(float(np.nanmin(az.ess(posterior[[n]], method="tail")[n].values)) for n in names),
    }
    worst["divergences"] = float(np.mean(data["sample_stats"]["diverging"].values))
    worst["bfmi"] = float(np.min(_bfmi(data["sample_stats"]["energy"].values)))
    return worst


def _bfmi(energy: Float[np.ndarray, "chain draw"]) -> Float[np.ndarray, " chain"]:
    return np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1)


def write_archive(data: Any, path: Path) -> None:
    """Write netCDF whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".nc")
    os.close(handle)
    try:
        data.to_netcdf(temporary, engine="h5netcdf")
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_archive(path: Path, fingerprint: str) -> tuple[Chains, dict[str, np.ndarray], dict[str, Any]] | None:
    """Return chains, constants and notes of a posterior with this fingerprint, or ``None`` if there is no such file."""
    import xarray as xr

    if not path.is_file():
        return None
    try:
        groups = {
            name: xr.load_dataset(path, group=name, engine="h5netcdf")
            for name in ("posterior", "sample_stats", "constant_data")
        }
    except (OSError, KeyError, ValueError):
        return None
    attrs = groups["posterior"].attrs
    if attrs.get("fingerprint") != fingerprint:
        return None
    sites = {str(name): value.values for name, value in groups["posterior"].items()}
    statistics = {str(name): value.values.astype(float) for name, value in groups["sample_stats"].items()}
    constants = {str(name): value.values for name, value in groups["constant_data"].items()}
    return Chains(sites=sites, statistics=statistics), constants, json.loads(attrs["notes"])
