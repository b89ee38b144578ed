"""The program ``perdure``: its commands put together, and what happens when one fails.

A mistake of the user, or a file that can't be used, is one line on standard error and exit code 2. Only our own
mistakes show where they happened.
"""

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from perdure.cli import (
    activity,
    asl,
    audit,
    backup,
    batch,
    config,
    controls,
    count,
    demo,
    deployment,
    dev,
    explain,
    export,
    forks,
    history,
    list,
    messages,
    namespace,
    queue,
    replay,
    schedule,
    server,
    show,
    start,
    stats,
    token,
    verify,
    versions,
    worker,
)
from perdure.cli.certificates import Commands
from perdure.cli.places import PlaceCommand
from perdure.model.errors import PerdureError

USAGE_ERROR = 2
# What a shell reports of a program that the closing of a pipe has ended; other programs do not survive to choose.
BROKEN_PIPE = 141


class Program(TyperGroup):
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
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("perdure"):
                raise
            _complain(
                f"This needs {error.name}, which is not installed. Install the server's part: pip install 'perdure[server]'"
            )
        except OSError as error:
            _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        raise typer.Exit(USAGE_ERROR)


app = Commands(
    name="perdure",
    cls=Program,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # help as plain text: loading what draws boxes takes as long as all the rest
    epilog="""Examples:

perdure demo

perdure execute hello '"world"' --id greeting

perdure list --status open

perdure list perdure.db --status open

perdure explain order-17

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

    The commands ask a server, that of --server, or look into a store file that is named first, also while it is in use.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not be what ends a list.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _add(name: str, command: Callable[..., None], examples: str, cls: type[TyperCommand] | None = None) -> None:
    app.command(name, cls=cls, epilog=examples)(command)


def _add_placed(name: str, command: Callable[..., None], examples: str) -> None:
    _add(name, command, examples, PlaceCommand)


_add("server", server.server, server.EXAMPLES)
_add("dev", dev.dev, dev.EXAMPLES)
app.add_typer(worker.worker)
_add_placed("start", start.start, start.START_EXAMPLES)
_add_placed("execute", start.execute, start.EXECUTE_EXAMPLES)
_add_placed("signal", messages.signal, messages.SIGNAL_EXAMPLES)
_add_placed("query", messages.query, messages.QUERY_EXAMPLES)
_add_placed("update", messages.update, messages.UPDATE_EXAMPLES)
for control in (controls.cancel, controls.terminate, controls.pause, controls.resume, controls.delete):
    _add_placed(control.__name__, control, controls.examples(control.__name__))
_add_placed("reset", forks.reset, forks.RESET_EXAMPLES)
_add_placed("fork", forks.fork, forks.FORK_EXAMPLES)
_add_placed("list", list.list_runs, list.EXAMPLES)
_add_placed("count", count.count, count.EXAMPLES)
_add_placed("show", show.show, show.EXAMPLES)
_add_placed("explain", explain.explain, explain.EXAMPLES)
_add_placed("history", history.history, history.EXAMPLES)
app.add_typer(activity.activity)
app.add_typer(schedule.schedule)
app.add_typer(queue.queue)
app.add_typer(namespace.namespace)
app.add_typer(deployment.deployment)
app.add_typer(batch.batch)
app.add_typer(asl.asl)
app.add_typer(token.token)
app.add_typer(audit.audit)
_add_placed("export", export.export, export.EXAMPLES)
_add_placed("import", export.import_run, export.IMPORT_EXAMPLES)
_add("replay", replay.replay, replay.EXAMPLES)
_add_placed("versions", versions.versions, versions.EXAMPLES)
_add_placed("stats", stats.stats, stats.EXAMPLES)
_add("verify", verify.verify, verify.EXAMPLES)
_add("backup", backup.backup, backup.EXAMPLES)
_add("config", config.config, config.EXAMPLES)
_add("demo", demo.demo, demo.EXAMPLES)


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
