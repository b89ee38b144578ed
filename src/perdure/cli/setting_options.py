"""Options for the settings of a server, made from their table, so that each is named in one place only."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from perdure.app.config import SETTINGS, Config, Setting, read_config

ConfigFile = Annotated[
    str,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="PERDURE_CONFIG",
        help="A TOML file with settings. Without it, perdure.toml in the working folder, if it is there.",
        show_default=False,
    ),
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each setting; it is called with the ``config`` that they come to."""
    own = [parameter for parameter in inspect.signature(command).parameters.values() if parameter.name != "config"]
    names = {_argument(setting): setting.name for setting in SETTINGS}

    @wraps(command)
    def run(**given: Any) -> None:
        flags = {name: given.pop(argument) for argument, name in names.items()}
        command(config=_config(flags, given.pop("config_file")), **given)

    options = [_parameter(_argument(setting), _option(setting)) for setting in SETTINGS]
    parameters = [*own, _parameter("config_file", ConfigFile, ""), *options]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


def _config(flags: dict[str, str | None], file: str) -> Config:
    return read_config(flags, file=file or None)


def _argument(setting: Setting) -> str:
    return setting.name.replace(".", "_")


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(setting: Setting) -> Any:
    default = setting.shown(setting.default)
    text = f"{setting.help} Default: {default}." if default else setting.help
    is_fine = "." in setting.name and setting.help.startswith("See ")
    return Annotated[
        str | None,
        typer.Option(setting.flag, metavar=setting.kind.metavar, help=text, show_default=False, hidden=is_fine),
    ]
