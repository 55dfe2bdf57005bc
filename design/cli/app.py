"""The application: all commands in one place, and ``main``, which turns failures into a paragraph and an exit code.

In: arguments of the process. Out: the exit code. Every failure with an explanation is a ``BrainworthError``; anything else is a
bug, told in one paragraph that asks for ``--debug``.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Annotated

import typer

from brainworth.design.cli.datasets import datasets_app
from brainworth.design.cli.decisions import compare, controls, sensitivity
from brainworth.design.cli.evaluate import evaluate
from brainworth.design.cli.interruption import no_interruption_lost
from brainworth.design.cli.output import one_paragraph
from brainworth.design.cli.plan import backtest, demo, plan, report, simulate
from brainworth.design.cli.predict import predict
from brainworth.design.cli.preregister import preregister
from brainworth.design.cli.stimuli import stimuli
from brainworth.design.cli.study import check, init, schema
from brainworth.design.cli.summarise import summarise
from brainworth.design.cli.update import update
from brainworth.design.common.errors import BadInput, BrainworthError
from brainworth.design.common.outside import outside_allowed
from brainworth.design.common.remembered import forgotten_at_the_end
from brainworth.design.common.version import __version__

_ANYWHERE = ("--debug", "--allow-outside")
INTERRUPTED = 130
USAGE = 2
BUG = 1
_COLLECTED = (10_000, 20, 20)
"""When Python looks for garbage that refers to itself (``gc.set_threshold``): rarely. By default it takes a fifteenth of a command,
most of it among modules while they are imported."""

_CLICK_FAILURE: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Base of all usage errors; typer carries its own copy of click and does not name this class publicly."""

app = typer.Typer(
    name="brainworth",
    help="How many brain recordings and how many task labels to buy next, from a small pilot.",
    epilog="Start with: brainworth demo, or brainworth init my_study",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:  # noqa: FBT001  (typer passes the value of the option by position)
    if value:
        typer.echo(f"brainworth {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Let the study file name files outside of its folder.")
    ] = False,
) -> None:
    """How many brain recordings and how many task labels to buy next, from a small pilot."""
    del (
        version,
        debug,
        allow_outside,
    )  # the first acts by its callback, the others are taken out of the arguments by main
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("demo")(demo)
app.command("init")(init)
app.command("backtest")(backtest)
app.command("check")(check)
app.command("plan")(plan)
app.command("compare")(compare)
app.command("controls")(controls)
app.command("evaluate")(evaluate)
app.command("sensitivity")(sensitivity)
app.command("predict")(predict)
app.command("report")(report)
app.command("simulate")(simulate)
app.command("stimuli")(stimuli)
app.command("preregister")(preregister)
app.command("summarise")(summarise)
app.command("update")(update)
app.command("schema")(schema)
app.add_typer(datasets_app, name="datasets")


def _fail(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    typer.echo(message, err=True)
    return code


def _usage_message(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "brainworth"
    text = error.format_message()  # pyright: ignore[reportAttributeAccessIssue]  (a method of the class found above)
    return one_paragraph(f"{where}: {text.rstrip('.')}. See {where} --help.")


def _close_quietly() -> None:
    """Give stdout a place to flush to after the reader of a pipe has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _garbage_collected_rarely() -> Generator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTED)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # a last look for garbage in all modules takes a second, for a process that ends anyway
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _refuse_empty(given: Sequence[str]) -> None:
    """Raise ``BadInput`` for an option that was given nothing, as a variable of a script that is not set does."""
    for option, value in pairwise([*given, "-"]):
        if option.startswith("--") and (option.endswith("=") or (value == "" and "=" not in option)):
            raise BadInput(f"{option.rstrip('=')}: it is empty. Give it a value, or leave the option out.")


def _unexpected(error: Exception) -> str:
    """Return the sentence about a fault of the disk, the network or a program where nobody expected it, or about a bug."""
    if isinstance(error, OSError):
        what = f"{error.filename}: " if error.filename else ""
        return f"{what}the system says: {error.strerror or error}. Check disk, network and permissions, and run the command again."
    text = f"This is a fault in brainworth, not in your input ({type(error).__name__}: {error}). "
    return f"{text}Run again with --debug and report it."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; default those of the process. ``--debug`` and ``--allow-outside`` are accepted anywhere.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        _refuse_empty(given)
        with ExitStack() as during:
            during.enter_context(no_interruption_lost())
            during.enter_context(_garbage_collected_rarely())
            during.enter_context(outside_allowed(allowed="--allow-outside" in given))
            during.enter_context(forgotten_at_the_end())
            command = typer.main.get_command(
                app
            )  # calling ``app`` would put typer's hook for exceptions in place of ours
            result = command(
                args=[a for a in given if a not in _ANYWHERE], prog_name="brainworth", standalone_mode=False
            )
        sys.stdout.flush()
    except BrainworthError as error:
        return _fail(one_paragraph(error), error.exit_code, debug=debug)
    except _CLICK_FAILURE as error:
        return _fail(_usage_message(error), USAGE, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Interrupted.", INTERRUPTED, debug=debug)
    except BrokenPipeError:
        _close_quietly()
        return 0
    except Exception as error:
        return _fail(one_paragraph(_unexpected(error)), USAGE if isinstance(error, OSError) else BUG, debug=debug)
    if result == INTERRUPTED:  # typer turns an interruption into this code
        typer.echo("Interrupted.", err=True)
    return result if isinstance(result, int) else 0
