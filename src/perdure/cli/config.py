"""``perdure config``: the settings in force, and where each comes from."""

from typing import Annotated

import typer

from perdure.app.config import SETTINGS, Config
from perdure.cli.parameters import Json
from perdure.cli.setting_options import with_settings

EXAMPLES = """Examples:

perdure config

perdure config --changed --rest-address 0.0.0.0:7420

perdure config --config /etc/perdure.toml --json

Takes the options that perdure server takes, and says what that would do with them. Settings with a dot, such as limits.page_size, have
options as well: --limits-page-size."""


@with_settings
def config(
    config: Config,
    changed: Annotated[bool, typer.Option("--changed", help="Only settings that are not at their default.")] = False,
    json: Json = False,
) -> None:
    """Print the settings that a server here would have, commands that ask one, and workers, and where each comes from."""
    from perdure.app.client_config import CLIENT_SETTINGS, read_client_config
    from perdure.app.worker_config import WORKER_SETTINGS, read_worker_config
    from perdure.cli.output import FAINT, Column, Output

    clients = read_client_config(file=config.file or None)
    workers = read_worker_config(file=config.file or None)
    config = Config(
        {**config.values, **clients.values, **workers.values},
        {**config.origins, **clients.origins, **workers.origins},
        config.file,
    )
    known = (*SETTINGS, *CLIENT_SETTINGS, *WORKER_SETTINGS)
    chosen = [each for each in known if not changed or config.origins[each.name] != "default"]
    output = Output()
    if json:
        rows = {
            each.name: {"value": each.shown(config[each.name]), "from": config.origins[each.name]} for each in chosen
        }
        output.json(rows, indented=True)
        return
    columns = [Column("SETTING"), Column("VALUE", flexible=True), Column("FROM", flexible=True)]
    output.table(
        columns,
        [
            [each.name, each.shown(config[each.name]), (origin, FAINT if origin == "default" else "")]
            for each in chosen
            for origin in [config.origins[each.name]]
        ],
    )
