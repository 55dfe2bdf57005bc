"""Stage 1 of the learner: brain sets, their common feature basis, and an encoder of confirmed latents.

In: brain sets (stimulus features and recorded channels, one per person and modality), as arrays, or as moments where the values
do not fit into memory. Out: a ``FeatureBasis`` of all stimuli and an ``Encoder`` with as many latents as held-out recordings
confirm; both ways give the same to rounding. With it come the latents of every recorded stimulus as predicted without its own
recordings: what the features do not explain of the response to a stimulus may be what they do not explain of its label, and a
latent that was fitted to the former would look as if it carried the latter. Errors: brain sets with other features than the
labelled stimuli or with as few as one sample (``ValueError``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from scipy import linalg
from sklearn.utils import check_array, check_consistent_length

from brainworth.models.pilot.coded_rows import CodedRows
from brainworth.models.pilot.encoder import Encoder, EncoderOptions, fit_encoder
from brainworth.models.pilot.folds import group_folds
from brainworth.models.pilot.pilot import Coding, LargeChannels
from brainworth.models.pilot.readouts import Readouts, cross_fitted_readouts
from brainworth.models.pilot.sources import Source, StreamedSource
from brainworth.models.pilot.statistics import CentredSource, FeatureBasis, SourceStatistics
from brainworth.models.pilot.streaming import Moments

Matrix = NDArray[np.float64]

# scikit-learn's annotations are narrower than what it accepts.
_checked_array: Callable[..., Matrix] = check_array

EXPONENTS = (0.5, 1.0, 1.5)
"""Spectral exponents of the latents that are compared by evidence."""
N_FOLDS = 5
"""Folds on which latents are confirmed."""
MINIMUM_STIMULI = 50
"""Different stimuli of every brain set below which latents are not tested."""
MINIMUM_HELD_OUT = 20
"""Different stimuli of every brain set below which no latent is predicted without a stimulus' own recordings."""


@dataclass(frozen=True)
class LargeSet:
    """A brain set whose recorded values do not fit into memory."""

    features: Float[np.ndarray, "stimulus feature"]
    """Raw features of every stimulus that was recorded."""
    stimulus: Int[np.ndarray, " sample"]
    """Row of ``features`` of each sample."""
    channels: LargeChannels
    """Recorded values."""
    moments: Moments
    """Moments of raw features and channels on the folds of ``DistinctStimuli.of`` the tables of all sets."""


@dataclass(frozen=True)
class DistinctStimuli:
    """The different stimuli of some tables: rows with equal features are one stimulus."""

    features: Float[np.ndarray, "stimulus feature"]
    """Raw features, every stimulus once."""
    fold: Int[np.ndarray, " stimulus"]
    """Fold on which latents are confirmed."""

    @classmethod
    def of(
        cls, tables: Sequence[Float[np.ndarray, "row feature"]]
    ) -> tuple[DistinctStimuli, list[Int[np.ndarray, " row"]]]:
        """Return the stimuli, and which of them each row of each table is."""
        features, shown = np.unique(np.vstack(tables), axis=0, return_inverse=True)
        alone = len(features) < 2
        fold = np.zeros(1, dtype=np.int64) if alone else group_folds(np.arange(len(features)), N_FOLDS, 0)
        ends = np.cumsum([len(table) for table in tables])
        return cls(features, fold), np.split(shown.reshape(-1), ends[:-1])


@dataclass(frozen=True)
class CheckedSet:
    """A brain set, ready for both stages."""

    features: Float[np.ndarray, "row feature"]
    """Raw features of every row: of every sample, or of every stimulus of a ``LargeSet``."""
    count: Float[np.ndarray, " row"]
    """Samples of every row."""
    channels: Float[np.ndarray, "row channel"] | LargeSet
    """Recorded values."""

    def source(self, basis: FeatureBasis, shown: Int[np.ndarray, " row"], stimuli: DistinctStimuli) -> Source:
        """Return the samples, centred on their mean; ``shown`` says which stimulus each row is."""
        large = self.channels
        if not isinstance(large, LargeSet):
            coordinates = basis.transform(self.features)
            return CentredSource(coordinates - coordinates.mean(axis=0), large - large.mean(axis=0), shown)
        stimulus = shown[large.stimulus]
        block = np.zeros(len(stimulus), dtype=np.int64)
        code = Coding(stimuli.features, stimulus, stimuli.fold[stimulus], block, int(stimuli.fold.max()) + 1)
        rows = CodedRows.centred(basis.transform(stimuli.features), stimulus, block)
        return StreamedSource(rows, large.channels, code, basis, large.moments.pooled())


BrainSet = tuple[ArrayLike, ArrayLike] | LargeSet


def checked_set(given: BrainSet, n_features: int, names: Sequence[str] | None = None) -> CheckedSet:
    """Return one brain set as arrays; ``ValueError`` if it does not have the features of the labelled stimuli.

    Parameters
    ----------
    given : (X_brain, R) or LargeSet
        The brain set.
    n_features : int
        Features of the labelled stimuli.
    names : sequence of str, optional
        Their names, if they came with names: columns of a data frame must then be these, in this order.
    """
    if isinstance(given, LargeSet):
        count = np.bincount(given.stimulus, minlength=len(given.features)).astype(np.float64)
        return CheckedSet(given.features, count, given)
    features = _checked_array(given[0], dtype=np.float64, ensure_min_samples=2, input_name="X_brain")
    channels = _checked_array(given[1], dtype=np.float64, ensure_min_samples=2, input_name="R")
    check_consistent_length(features, channels)
    if features.shape[1] != n_features:
        raise ValueError(
            f"A brain set must have the features of the labelled stimuli ({n_features}). Got {features.shape[1]} instead."
        )
    _require_columns("A brain set", given[0], names)
    return CheckedSet(features, np.ones(len(features)), channels)


def checked_stimuli(
    given: ArrayLike | None, n_features: int, names: Sequence[str] | None = None
) -> Float[np.ndarray, "row feature"]:
    """Return features of stimuli without labels and recordings; ``ValueError`` if they are not those of the labelled stimuli.

    Parameters are those of ``checked_set``.
    """
    if given is None or np.size(given) == 0:
        return np.zeros((0, n_features))
    features = _checked_array(given, dtype=np.float64, input_name="stimuli")
    if features.shape[1] != n_features:
        raise ValueError(
            f"'stimuli' must have the features of the labelled stimuli ({n_features}). Got {features.shape[1]} instead."
        )
    _require_columns("'stimuli'", given, names)
    return features


def _require_columns(what: str, given: ArrayLike, names: Sequence[str] | None) -> None:
    """Raise ``ValueError`` if a data frame has other columns than these, or has them in another order."""
    columns = getattr(given, "columns", None)
    if names is None or columns is None:
        return
    for place, (wanted, found) in enumerate(zip(names, columns, strict=True), start=1):
        if found != wanted:
            raise ValueError(
                f"{what} must have the columns of the labelled stimuli, in the same order. Got {found!r} instead of "
                f"{wanted!r} as column {place}."
            )


def common_basis(
    features: Float[np.ndarray, "row feature"],
    count: Float[np.ndarray, " row"],
    *,
    standardise: bool,
    scale: Float[np.ndarray, " feature"] | None = None,
) -> FeatureBasis:
    """Return the basis of all stimuli, each row as often as it counts; a single flat direction where no feature varies."""
    if np.ptp(features, axis=0).max() > 0.0:
        return FeatureBasis.from_features(features, standardise=standardise, scale=scale, count=count)
    p = features.shape[1]
    return FeatureBasis(mean=features[0], scale=np.ones(p), rotation=np.eye(p)[:, :1], variance=np.ones(1))


@dataclass(frozen=True)
class FirstStage:
    """What brain sets teach about the latents."""

    encoder: Encoder
    """Fit to all recordings."""
    stimuli: Float[np.ndarray, "stimulus feature"]
    """Raw features of the recorded stimuli."""
    held_out: Float[np.ndarray, "stimulus latent"] | None
    """Latents of these stimuli as recordings of other stimuli predict them; None with too few stimuli."""

    def latents(
        self, basis: FeatureBasis, features: Float[np.ndarray, "row feature"]
    ) -> Float[np.ndarray, "row latent"]:
        """Return the latents of stimuli as predicted without recordings of the same stimuli, up to a constant."""
        predicted = basis.transform(features) @ self.encoder.maps
        if self.held_out is None:
            return predicted
        _, code = np.unique(np.vstack([self.stimuli, features]), axis=0, return_inverse=True)
        place = np.full(len(self.stimuli) + len(features), -1)
        place[code.reshape(-1)[: len(self.stimuli)]] = np.arange(len(self.stimuli))
        row = place[code.reshape(-1)[len(self.stimuli) :]]
        predicted[row >= 0] = self.held_out[row[row >= 0]]
        return predicted


def first_stage(basis: FeatureBasis, sets: Sequence[CheckedSet], n_latents: int) -> FirstStage | None:
    """Return stage 1 with as many latents as held-out recordings confirm; None if they confirm none."""
    stimuli, shown = DistinctStimuli.of([given.features for given in sets])
    sources = [given.source(basis, rows, stimuli) for given, rows in zip(sets, shown, strict=True)]
    statistics = [source.statistics() for source in sources]
    shares = _shares(basis, statistics, n_latents)
    encoder = fit_encoder(statistics, basis.variance, shares, n_latents)
    least = min(np.unique(source.stimulus).size for source in sources)
    if least < MINIMUM_HELD_OUT:
        return FirstStage(encoder, stimuli.features, None)
    readouts = cross_fitted_readouts(sources, stimuli.fold, encoder, basis.variance, shares)
    kept = encoder.maps.shape[1] if least < MINIMUM_STIMULI else readouts.confirmed
    if not kept:
        return None
    final = encoder if kept == encoder.maps.shape[1] else fit_encoder(statistics, basis.variance, shares, kept)
    coordinates = basis.transform(stimuli.features)
    turn = _turn(encoder, final, basis.variance)
    return FirstStage(final, stimuli.features, _held_out(coordinates, sources, readouts, final, turn))


def _turn(encoder: Encoder, final: Encoder, variance: Float[np.ndarray, " direction"]) -> Float[np.ndarray, "old new"]:
    """Return the rotation from the leading latents of one encoder to those of another with fewer."""
    root = np.sqrt(variance)[:, None]
    kept = final.maps.shape[1]
    return linalg.orthogonal_procrustes(root * encoder.maps[:, :kept], root * final.maps)[0]


def _held_out(
    coordinates: Float[np.ndarray, "stimulus direction"],
    sources: Sequence[Source],
    readouts: Readouts,
    encoder: Encoder,
    turn: Float[np.ndarray, "old new"],
) -> Float[np.ndarray, "stimulus latent"]:
    """Return the latents of every stimulus from the folds without it; each source's samples are centred on their mean."""
    result = coordinates @ encoder.maps
    for source, predicted in zip(sources, readouts.predictions, strict=True):
        own = predicted[:, : len(turn)] @ turn
        result[source.stimulus] = own + result[source.stimulus].mean(axis=0) - own.mean(axis=0)
    return result


def _shares(basis: FeatureBasis, statistics: Sequence[SourceStatistics], n_latents: int) -> Matrix:
    """Return the latents' prior shares under the spectral exponent of largest evidence."""
    raw = [(basis.variance / basis.variance[0]) ** exponent for exponent in EXPONENTS]
    shares = [values / values.sum() for values in raw]
    # One shrinkage round: the whitening is then the same for all exponents, and their evidences compare.
    brief = EncoderOptions(shrinkage_rounds=1)
    trials = [fit_encoder(statistics, basis.variance, h, n_latents, brief).log_evidence for h in shares]
    return shares[int(np.argmax(trials))]
