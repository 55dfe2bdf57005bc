"""Whether a pilot was read into memory."""

from __future__ import annotations

import numpy as np

from brainworth.models.pilot.pilot import Pilot


def is_large(pilot: Pilot) -> bool:
    """Return whether some recordings of a pilot stay on disk."""
    return any(not isinstance(r.channels, np.ndarray) for r in pilot.recordings)
