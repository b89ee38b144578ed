"""``perdure dev``: a server and a worker that follows the code, for one's own machine."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.app.config import Config
from perdure.cli.setting_options import with_settings

if TYPE_CHECKING:
    import asyncio

EXAMPLES = """Examples:

perdure dev app.py:app

perdure dev shop.workflows:app --store memory:// --watch shared/

Standard output is the server's URL. Ask it from another terminal: perdure execute hello '"world"'"""


@with_settings
def dev(
    config: Config,
    apps: Annotated[
        list[str],
        typer.Argument(
            metavar="APP...",
            help="The code: a file or module, and the app in it, such as app.py:app.",
            show_default=False,
        ),
    ],
    watch: Annotated[
        list[str] | None,
        typer.Option(
            "--watch",
            "-w",
            metavar="FOLDER",
            help="Also start the worker anew when something changes there. May be repeated.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="NAME=TEXT",
            help="What the worker is, such as gpu=a100, which tasks may ask for. May be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a server here, and a worker for it that starts anew whenever its code changes.

    A file that can't be run is shown with its mistake, and the next change is waited for; runs wait meanwhile.
    """
    from perdure.cli import inputs
    from perdure.cli.reloading import Reloaded
    from perdure.cli.serving import run_until_stopped, serving

    reloaded = Reloaded(apps, watch or (), inputs.labels(label, "--label"))
    # Its threads and a fork can't both be; the worker's process begins with another program at once.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

    async def develop(told: "asyncio.Event") -> None:
        async with serving(config) as url:
            await reloaded.run(url, told)

    run_until_stopped(develop)
