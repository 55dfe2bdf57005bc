"""Optional libraries, imported where they are used.

In: the name of a library and the extra that brings it. Out: the module. If it is not installed, a ``BadInput`` names the extra.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from brainworth.design.common.messages import problem


def need(module: str, extra: str, what: str, source: str) -> Any:
    """Return an optional module, or raise ``BadInput``: "SOURCE: reading WHAT needs the extra 'EXTRA'".

    Parameters
    ----------
    module : str
        Full name of the module.
    extra : str
        The extra of brainworth that brings it.
    what : str
        What is read with it.
    source : str
        How messages call the file.
    """
    try:
        return import_module(module)
    except ImportError:
        install = f"Install it: pip install 'brainworth[{extra}]'."
        raise problem(source, "", f"reading {what} needs the extra {extra!r}", install) from None
