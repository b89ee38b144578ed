"""``perdure server``: the engine as a process that others connect to."""

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.app.config import Config
from perdure.cli.setting_options import with_settings

if TYPE_CHECKING:
    import asyncio

EXAMPLES = """Examples:

perdure server

perdure server --store sqlite:////var/lib/perdure/work.db --config /etc/perdure.toml

perdure server --store memory:// --rest-address 127.0.0.1:0

perdure server --temporal-dev --port 7233 --db-filename dev.db

perdure server --stepfunctions --lambda-endpoint http://127.0.0.1:3001

Once it serves, its URL is printed on standard output. SIGTERM and Ctrl-C end it; all that is unfinished waits in the store."""

START_DEV = "start-dev"

DevPort = Annotated[
    int, typer.Option("--port", "-p", metavar="PORT", help="With --temporal-dev: where Temporal's SDKs connect.")
]
DevIp = Annotated[str, typer.Option("--ip", metavar="IP", help="With --temporal-dev: the address to listen at.")]
DevFile = Annotated[
    str,
    typer.Option(
        "--db-filename",
        "-f",
        metavar="FILE",
        help="With --temporal-dev: the store's file; without it runs are kept in memory.",
        show_default=False,
    ),
]
DevNamespaces = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="With --temporal-dev: a namespace that is there from the beginning on, besides default. May be repeated.",
        show_default=False,
    ),
]
DevAttributes = Annotated[
    list[str] | None,
    typer.Option(
        "--search-attribute",
        metavar="NAME=TYPE",
        help="With --temporal-dev: a search attribute that is there from the beginning on. May be repeated.",
        show_default=False,
    ),
]
Ignored = Annotated[
    list[str] | None,
    typer.Option("--dynamic-config-value", metavar="KEY=VALUE", help="Accepted and ignored.", hidden=True),
]
IgnoredText = Annotated[str, typer.Option(metavar="TEXT", help="Accepted and ignored.", hidden=True)]
IgnoredFlag = Annotated[bool, typer.Option("--headless", help="Accepted and ignored.", hidden=True)]


@with_settings
def server(
    config: Config,
    mode: Annotated[str, typer.Argument(metavar="[start-dev]", help="The same as --temporal-dev.", hidden=True)] = "",
    temporal_dev: Annotated[
        bool,
        typer.Option(
            "--temporal-dev",
            help="Stand in for Temporal's development server: in memory, with a default namespace, at port 7233.",
        ),
    ] = False,
    stepfunctions: Annotated[
        bool,
        typer.Option("--stepfunctions", help="Answer AWS's clients as Step Functions, at 127.0.0.1:8083 unless told."),
    ] = False,
    port: DevPort = 7233,
    ip: DevIp = "127.0.0.1",
    db_filename: DevFile = "",
    namespace: DevNamespaces = None,
    search_attribute: DevAttributes = None,
    headless: IgnoredFlag = False,
    dynamic_config_value: Ignored = None,
    ui_port: IgnoredText = "",
    ui_ip: IgnoredText = "",
    http_port: IgnoredText = "",
    metrics_port: IgnoredText = "",
    sqlite_pragma: IgnoredText = "",
    log_config: IgnoredText = "",
) -> None:
    """Run a server: engine, REST and the worker protocol in one process, over one store.

    All settings may be options here, variables of the environment or lines of a TOML file; perdure config prints them.
    """
    from perdure.app.stepfunctions import with_stepfunctions
    from perdure.app.temporal import DevServer, attribute_of, dev_config
    from perdure.cli.serving import run_until_stopped, serving

    if mode not in ("", START_DEV):
        raise typer.BadParameter(f"{mode!r} is nothing that a server can be; the only word is {START_DEV}.")
    dev = None
    if temporal_dev or mode == START_DEV:
        names = list(dict.fromkeys(["default", *(namespace or ())]))
        dev = DevServer(names, dict(map(attribute_of, search_attribute or ())))
        config = dev_config(config, ip=ip, port=port, file=db_filename)

    if stepfunctions:
        config = with_stepfunctions(config)

    async def serve(told: "asyncio.Event") -> None:
        async with serving(config, dev):
            await told.wait()

    run_until_stopped(serve)
