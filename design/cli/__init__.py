"""The command line: thin commands over the other modules of ``design``, and the way failures are told.

In: arguments. Out: files, tables on a terminal, JSON, exit codes 0 (done), 2 (bad input), 3 (infeasible), 4 (the
pilot's health check refuses), 130 (interrupted). Errors are one paragraph on stderr; a traceback only with
``--debug``. Commands import what they run when they run it, so that ``--help`` is immediate.
"""

from brainworth.design.cli.app import app, main

__all__ = ["app", "main"]
