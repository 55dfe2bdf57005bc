"""One thread for small dense linear algebra.

In: nothing. Out: a context in which BLAS uses one thread. The matrices here have a few hundred rows, and threads that wait for
each other cost more than they save: twenty times on a busy machine with two cores, as measured. A BLAS that ``threadpoolctl``
does not know keeps its threads; results are the same.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_CONTROLLER = ThreadpoolController()


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Limit BLAS to one thread inside the block, and restore the old limit after it."""
    with _CONTROLLER.limit(limits=1, user_api="blas"):
        yield
