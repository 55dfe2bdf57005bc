"""The plugin that prepares Dask workers; apart, because it needs the extra ``cluster`` when it is imported.

Every worker runs it, also those that replace a killed one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from distributed import WorkerPlugin


class PreparePlugin(WorkerPlugin):
    """Calls a function when a worker starts."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self.prepare = prepare

    def setup(self, worker: Any) -> None:  # noqa: ARG002  (signature of Dask)
        """Prepare the process of a worker."""
        self.prepare()
