"""``perdure server``: the engine as a process that others connect to."""

from typing import TYPE_CHECKING

from perdure.app.config import Config
from perdure.cli.setting_options import with_settings

if TYPE_CHECKING:
    import asyncio

EXAMPLES = """Examples:

perdure server

perdure server --store sqlite:////var/lib/perdure/work.db --config /etc/perdure.toml

perdure server --store memory:// --rest-address 127.0.0.1:0

Once it serves, its URL is printed on standard output. SIGTERM and Ctrl-C end it; all that is unfinished waits in the store."""


@with_settings
def server(config: Config) -> None:
    """Run a server: engine, REST and the worker protocol in one process, over one store.

    All settings may be options here, variables of the environment or lines of a TOML file; perdure config prints them.
    """
    from perdure.cli.serving import run_until_stopped, serving

    async def serve(told: "asyncio.Event") -> None:
        async with serving(config):
            await told.wait()

    run_until_stopped(serve)
