"""The program ``perdure``: its commands put together, and what happens when one fails.

A mistake of the user, or a file that can't be used, is one line on standard error and exit code 2. Only our own
mistakes show where they happened.
"""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from perdure.cli import (
    backup,
    config,
    count,
    demo,
    explain,
    export,
    history,
    list,
    replay,
    schedule,
    show,
    stats,
    verify,
    versions,
)
from perdure.cli.places import PlaceCommand
from perdure.model.errors import PerdureError

USAGE_ERROR = 2
# What a shell reports of a program that the closing of a pipe has ended; other programs do not survive to choose.
BROKEN_PIPE = 141


class Commands(TyperGroup):
    """The group of all commands. What they raise on purpose becomes a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for. Raises ``typer.Exit``."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(BROKEN_PIPE) from None
        except PerdureError as error:
            _complain(str(error))
        except OSError as error:
            _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        raise typer.Exit(USAGE_ERROR)


app = typer.Typer(
    name="perdure",
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help as plain text: loading what draws boxes takes as long as all the rest
    epilog="""Examples:

perdure demo

perdure list perdure.db --status open

perdure explain perdure.db order-17

Help for one command: perdure list --help. Completion for your shell: perdure --install-completion.""",
)


def _version(is_wanted: bool) -> None:
    if is_wanted:
        import platform
        import sqlite3

        from perdure import __version__

        print(f"perdure {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
        raise typer.Exit


@app.callback()
def perdure(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    """A durable workflow engine: plain Python that survives every crash.

    The commands look into a store file, also while it is in use. None of them changes it.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not be what ends a list.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("list", cls=PlaceCommand, epilog=list.EXAMPLES)(list.list_runs)
app.command("count", cls=PlaceCommand, epilog=count.EXAMPLES)(count.count)
app.command("show", cls=PlaceCommand, epilog=show.EXAMPLES)(show.show)
app.command("explain", cls=PlaceCommand, epilog=explain.EXAMPLES)(explain.explain)
app.command("history", cls=PlaceCommand, epilog=history.EXAMPLES)(history.history)
app.command("export", cls=PlaceCommand, epilog=export.EXAMPLES)(export.export)
app.command("replay", epilog=replay.EXAMPLES)(replay.replay)
app.command("versions", epilog=versions.EXAMPLES)(versions.versions)
app.command("stats", epilog=stats.EXAMPLES)(stats.stats)
app.add_typer(schedule.schedule)
app.command("config", epilog=config.EXAMPLES)(config.config)
app.command("verify", epilog=verify.EXAMPLES)(verify.verify)
app.command("backup", epilog=backup.EXAMPLES)(backup.backup)


def main() -> None:
    """Run the program on the arguments it was started with, and exit."""
    app(prog_name="perdure")


def _complain(message: str) -> None:
    sys.stdout.flush()
    label = "\x1b[1;31mError:\x1b[0m" if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else "Error:"
    sys.stderr.write(f"{label} {message}\n")


def _discard_output() -> None:
    """Nobody reads it any more, and Python would complain of that when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
