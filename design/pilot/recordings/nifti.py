"""Images of one run as series of channels: voxels of a mask, or means of an atlas's regions.

In: 4D NIfTI images, a mask or an atlas (NIfTI), tables of confounds; nilearn does the resampling and smoothing. Out: matrices
(volume, channel) with their names and the repetition time. Errors: the extra ``fmri`` is not installed; an image that cannot be
read, has no fourth dimension or is too large; a mask without voxels, on no common ground with the image, or with too many voxels;
confounds that do not fit. Each is a ``BadInput``.
"""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from brainworth.design.common.errors import BadInput
from brainworth.design.common.messages import one_line, problem, quoted, quoted_list
from brainworth.design.common.optional import need
from brainworth.design.pilot.recordings.events import text_columns
from brainworth.design.pilot.rules.answers import either, lines

MAX_VOXELS = 20_000
"""Most channels of one person: a noise covariance of their square is estimated."""
_SAME_TR = 0.005
"""Relative difference between two statements of the time between volumes that counts as rounding."""
MAX_VALUES = 1_000_000_000
"""Most values of one image (voxels times volumes)."""


def open_image(path: Any, source: str, dimensions: int) -> Any:
    """Return a NIfTI image (or one in memory) whose header was read and whose size was checked; its values are not loaded yet."""
    nibabel = need("nibabel", "fmri", "NIfTI images", source)
    if not hasattr(path, "affine") and not str(path).lower().endswith((".nii", ".nii.gz")):
        raise problem(source, "", "its ending is not that of a NIfTI image", "Save it as .nii or .nii.gz.")
    try:
        image = path if hasattr(path, "affine") else nibabel.load(path)
        shape = tuple(int(n) for n in image.shape)
    except Exception as error:  # damaged headers make nibabel raise many types of errors
        raise _unreadable(source, error) from None
    while len(shape) > dimensions and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != dimensions or 0 in shape:
        what = "one volume per point in time" if dimensions == 4 else "one number per voxel"
        raise problem(
            source, "", f"its shape is {tuple(image.shape)}", f"It must have {dimensions} dimensions, {what}."
        )
    if np.prod(shape, dtype=np.float64) > MAX_VALUES:
        raise problem(source, "", f"it holds more than {MAX_VALUES} values", "Resample, crop or split it into runs.")
    return image


def _unreadable(source: str, error: Exception) -> BadInput:
    wrong = f"the file cannot be read as a NIfTI image ({one_line(error, 200).rstrip('.')})"
    return problem(source, "", wrong, "Save it again as .nii or .nii.gz.")


def repetition_time(image: Any, given: float | None, source: str) -> float:
    """Return the seconds between volumes: as given, or from the image's header.

    Raises
    ------
    BadInput
        The header says nothing usable.
    """
    if given is not None:
        return given
    zooms, unit = image.header.get_zooms(), image.header.get_xyzt_units()[1]
    seconds = float(zooms[3]) * {"msec": 1e-3, "usec": 1e-6}.get(unit, 1.0) if len(zooms) > 3 else 0.0
    if not 0.01 <= seconds <= 60.0:
        raise problem(source, "header", f"it gives {seconds:g} s per volume", "Give the repetition time as reader.tr.")
    return seconds


def require_one_tr(image: Any, stated: float | None, source: str) -> None:
    """Raise ``BadInput`` if the JSON beside an image states another time between volumes than the image's header.

    A header without a unit of time says nothing.
    """
    if stated is None or image.header.get_xyzt_units()[1] not in {"sec", "msec", "usec"}:
        return
    zooms = image.header.get_zooms()
    if len(zooms) < 4 or not float(zooms[3]) > 0:
        return
    header = repetition_time(image, None, source)
    if abs(header - stated) > _SAME_TR * stated:
        wrong = f"its header says {header:g} s per volume, the JSON beside it {stated:g} s"
        options = [
            (lines("[modality.reader]", "tr", float(f"{t:.6g}")), where)
            for t, where in ((header, "header"), (stated, "JSON"))
        ]
        raise problem(
            source, "header", wrong, either("Onsets count in seconds, so one of them must be right.", options)
        )


@dataclass(frozen=True)
class VoxelChannels:
    """Which voxels are used, and which of them are averaged."""

    masker: Any
    """Fitted nilearn masker of all used voxels."""
    names: tuple[str, ...]
    """Name of each channel."""
    region: np.ndarray | None = None
    """Channel of each voxel, for an atlas."""

    def series(self, image: Any, source: str) -> Float[np.ndarray, "volume channel"]:
        """Return the series of all channels of an image, in its unit; NaN where a voxel of the channel has no value.

        nilearn reads a voxel without a value as 0, which no later step could tell from a measurement.
        """
        absent = self._absent(image, source)
        if absent is None:
            return self._series(image, source)
        values = self._series(image, source)
        values[absent] = np.nan
        return values

    def _absent(self, image: Any, source: str) -> np.ndarray | None:
        """Return which volumes of which channels hold a voxel without a value; None if there is none."""
        try:
            data = np.asanyarray(image.dataobj)
            if data.dtype.kind not in "fc":
                return None
            inside = np.asarray(self.masker.mask_img_.dataobj).astype(bool)
            if inside.shape != data.shape[:3]:
                return None
            lacking = ~np.isfinite(data[inside].T)
        except Exception as error:
            raise _unreadable(source, error) from None
        lacking &= ~lacking.all(axis=0)  # a voxel that never has a value is no measurement at all, and constant
        if not lacking.any():
            return None
        if self.region is None:
            return lacking
        held = np.zeros((len(lacking), len(self.names)), dtype=bool)
        for voxel in np.flatnonzero(lacking.any(axis=0)):
            held[:, self.region[voxel]] |= lacking[:, voxel]
        return held

    def _series(self, image: Any, source: str) -> Float[np.ndarray, "volume channel"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nilearn, about resampling and its own future
            try:
                voxels = np.asarray(self.masker.transform(image), dtype=np.float64)
            except Exception as error:
                raise _unreadable(source, error) from None
        if self.region is None:
            return voxels
        order = np.argsort(self.region, kind="stable")
        count = np.bincount(self.region, minlength=len(self.names))
        sums = np.add.reduceat(voxels[:, order], np.cumsum(count) - count, axis=1)
        return sums / count


def _masker(mask: Any, smoothing: float | None) -> Any:
    from nilearn.maskers import NiftiMasker

    return NiftiMasker(mask_img=mask, smoothing_fwhm=smoothing, standardize=False, reports=False).fit()


def _like(image: Any, reference: Any) -> Float[np.ndarray, "x y z"]:
    """Return a mask or an atlas on the grid of another image (nearest neighbour)."""
    from nilearn.image import index_img, resample_to_img

    goal = index_img(reference, 0) if len(reference.shape) == 4 else reference
    if image.shape[:3] == goal.shape[:3] and np.allclose(image.affine, goal.affine):
        return np.asarray(image.dataobj, dtype=np.float64).reshape(image.shape[:3])
    placed = resample_to_img(image, goal, interpolation="nearest", copy_header=True, force_resample=True)
    return np.asarray(placed.dataobj, dtype=np.float64).reshape(goal.shape[:3])


def channels_of(labels: Any, reference: Any, source: str, smoothing: float | None, *, regions: bool) -> VoxelChannels:
    """Return the channels that a mask (non-zero voxels) or an atlas (regions by number) defines.

    Parameters
    ----------
    labels : image
        Mask or atlas.
    reference : image
        An image of the person, which gives the grid.
    source : str
        How messages call the mask or atlas.
    smoothing : float, optional
        Full width at half maximum, mm.
    regions : bool
        Whether the voxels of one number are averaged.

    Raises
    ------
    BadInput
        No voxel is left on the grid, or too many are.
    """
    import nibabel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = np.nan_to_num(_like(labels, reference))
            inside = values > 0 if regions else values != 0
            mask = nibabel.Nifti1Image(inside.astype(np.uint8), reference.affine)
            masker = _masker(mask, smoothing) if inside.any() else None
        except Exception as error:
            raise _unreadable(source, error) from None
    if masker is None:
        raise problem(source, "", "no voxel of it lies within the images", "Check that both are in the same space.")
    if not regions:
        places = np.argwhere(inside)
        if len(places) > MAX_VOXELS:
            right = f"At most {MAX_VOXELS} are read: give a smaller mask (reader.mask) or regions (reader.atlas)."
            raise problem(source, "", f"it holds {len(places)} voxels", right)
        return VoxelChannels(masker, tuple(f"voxel_{x}_{y}_{z}" for x, y, z in places))
    numbers, region = np.unique(np.round(values[inside]).astype(np.int64), return_inverse=True)
    if numbers.size > MAX_VOXELS:
        raise problem(source, "", f"it holds {numbers.size} regions", f"At most {MAX_VOXELS} are read.")
    return VoxelChannels(masker, tuple(f"region_{n}" for n in numbers), region.reshape(-1))


def estimated_mask(images: Sequence[Any], source: str) -> Any:
    """Return nilearn's estimate of the brain from the runs of one person."""
    from nilearn.masking import compute_multi_epi_mask

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            mask, why = compute_multi_epi_mask(list(images)), "no voxel is left"
        except Exception as error:  # whatever a damaged image, or one without a brain, makes of it
            mask, why = None, one_line(error, 200)
    if mask is None or not np.any(np.asarray(mask.dataobj)):
        right = "Give a mask (reader.mask) or an atlas (reader.atlas)."
        raise problem(source, "", f"the brain cannot be told from the background ({why})", right)
    return mask


def read_confounds(path: Path, source: str, wanted: Sequence[str], volumes: int) -> Float[np.ndarray, "volume column"]:
    """Return columns of a table of confounds (tsv, csv); an empty first row (of derivatives) counts as the mean.

    Raises
    ------
    BadInput
        The table cannot be read, has another number of rows than the image volumes, or lacks a column; a cell is no
        number.
    """
    right = "It needs a header and one row per volume, separated by tabs (.tsv) or commas (.csv)."
    columns = text_columns(path, source, right)
    rows = len(next(iter(columns.values()), []))
    if rows != volumes:
        raise problem(source, "", f"it has {rows} rows for {volumes} volumes", "Give one row per volume.")
    chosen: list[str] = []
    for pattern in wanted:
        found = fnmatch.filter(columns, pattern)
        if not found:
            right = f"The columns are {quoted_list(columns)}."
            raise problem(source, "reader > confounds", f"no column fits {quoted(pattern)}", right)
        chosen += [name for name in found if name not in chosen]
    values = np.empty((volumes, len(chosen)))
    for i, name in enumerate(chosen):
        numbers = np.array([_number(text) for text in columns[name]])
        later = np.flatnonzero(~np.isfinite(numbers[1:]))
        if later.size:
            row = int(later[0]) + 1
            wrong = f"{quoted(columns[name][row])} is not a finite number"
            raise problem(source, f"row {row + 1}, column {quoted(name)}", wrong, "Leave this column out.")
        values[:, i] = np.where(np.isfinite(numbers), numbers, np.mean(numbers[1:]) if volumes > 1 else 0.0)
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
