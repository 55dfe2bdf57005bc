"""The plugin that prepares Dask workers; apart, because it needs the extra ``cluster`` when it is imported.

In: what to prepare. Out: a worker plugin, run by every worker, also by those that replace a killed one. What can go wrong: nothing.
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
