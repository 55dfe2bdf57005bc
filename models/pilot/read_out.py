"""The second round of an exchange of summaries: a site reads its own recordings out with the encoders of everyone.

In: the summaries of everyone, the site's recordings. Out: ``ReadOut``: per own person what a sample is worth, and read-outs of
every sample by filters that never saw it. Where samples are worth less than independent ones, the encoders depend on what
everyone's samples are worth, which is known only after each site has said so: read-outs then need a third round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from brainworth.models.pilot.encoder import Encoder, fit_encoder
from brainworth.models.pilot.pilot import Pilot
from brainworth.models.pilot.readouts import fold_encoders
from brainworth.models.pilot.sources import Source, StreamedSource, pilot_sources, sample_worth, streamed_moments
from brainworth.models.pilot.summarised import HeldOutReadouts, SummarisedChannels, coded, order_of
from brainworth.models.pilot.summary import MATERIAL, framed
from brainworth.models.pilot.threads import one_blas_thread


@dataclass(frozen=True)
class ReadOut:
    """What a site adds to its summary in the second round."""

    worth: tuple[float, ...]
    """Independent samples that a sample of each own person is worth."""
    held: tuple[HeldOutReadouts, ...]
    """Read-outs of each own person, samples in the order of the summary."""
    used: tuple[float, ...]
    """Worth of everyone's samples that the encoders reckoned with."""


def counted(worth: float | None) -> float:
    """Return what a sample counts as: 1 if its worth is nearly that, or unknown."""
    return worth if worth is not None and worth < MATERIAL else 1.0


@one_blas_thread()
def read_out(everyone: Pilot, own: Pilot, n_latents: int, seed: int) -> ReadOut:
    """Return the read-outs of a site's recordings.

    Parameters
    ----------
    everyone : Pilot
        Summaries of everyone's recordings (``SummarisedChannels``), those of this site among them.
    own : Pilot
        The recordings of this site, with the same names.
    n_latents : int
        Largest latent dimension.
    seed : int
        Seed of the folds.
    """
    ready = framed(everyone, seed)
    place = {(r.modality, r.subject): index for index, r in enumerate(everyone.recordings)}
    places = [place[r.modality, r.subject] for r in own.recordings]
    mine = pilot_sources(own, ready.basis, ready.folds, streamed_moments(own, ready.folds))
    encoder = fit_encoder([s.statistics() for s in ready.sources], ready.variance, ready.shares, n_latents)
    worths = [r.channels.worth for r in everyone.recordings if isinstance(r.channels, SummarisedChannels)]
    for index, source in zip(places, mine, strict=True):
        worths[index] = sample_worth(source, encoder.maps @ encoder.patterns[index], ready.shares)
    known = all(worth is not None for worth in worths)
    used = tuple(counted(worth) if known else 1.0 for worth in worths)
    sources = tuple(replace(source, independent=count) for source, count in zip(ready.sources, used, strict=True))
    if any(count < 1.0 for count in used):
        encoder = fit_encoder([s.statistics() for s in sources], ready.variance, ready.shares, n_latents)
    fitted = fold_encoders(sources, ready.folds, encoder, (ready.variance, ready.shares))
    held: list[HeldOutReadouts] = []
    for recording, index, source in zip(own.recordings, places, mine, strict=True):
        code = coded(recording, own, ready.folds)
        raw = _raw(source, code.fold, fitted, index)[order_of(code)]
        held.append(HeldOutReadouts(raw, np.stack([fitted[fold].filters[index] for fold in range(code.n_folds)])))
    own_worth = tuple(float(worth) for worth in (worths[index] for index in places) if worth is not None)
    return ReadOut(own_worth, tuple(held), used)


def _raw(
    source: Source, fold: np.ndarray, fitted: dict[int, Encoder], place: int
) -> Float[np.ndarray, "sample latent"]:
    """Return the samples of a source, each through the filters of its own fold."""
    if isinstance(source, StreamedSource):
        return source.read(fitted, place).raw
    raw = np.zeros((len(fold), fitted[0].maps.shape[1]))
    for number, encoder in fitted.items():
        raw[fold == number] = source.channels[fold == number] @ encoder.filters[place]
    return raw
