"""How a command proves who it is to a server that speaks TLS: options of every command that asks one, in one place.

``Commands`` adds them to whatever command takes a token, and has settings that were not said come from the TOML file.
"""

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

OPTIONS: Mapping[str, Any] = {
    "ca": Annotated[
        str,
        typer.Option(
            "--ca",
            metavar="FILE",
            envvar="PERDURE_CA",
            help="Who may have issued the server's certificate, PEM; those the system trusts without it.",
            show_default=False,
        ),
    ],
    "client_cert": Annotated[
        str,
        typer.Option(
            "--client-cert",
            metavar="FILE",
            envvar="PERDURE_CLIENT_CERT",
            help="This client's own certificate, PEM, for a server that asks for one.",
            show_default=False,
        ),
    ],
    "client_key": Annotated[
        str,
        typer.Option(
            "--client-key",
            metavar="FILE",
            envvar="PERDURE_CLIENT_KEY",
            help="The certificate's key, PEM, not encrypted.",
            show_default=False,
        ),
    ],
}

_given: ContextVar[Mapping[str, str]] = ContextVar("certificates", default={})  # noqa: B039  # never changed in place


def certificates() -> dict[str, Any]:
    """What the command line says of certificates, as ``perdure.connect`` takes it."""
    given = _given.get()
    return {
        "ca": given.get("ca", ""),
        "certificate": given.get("client_cert", ""),
        "key": given.get("client_key", ""),
    }


class ServerCommand(TyperCommand):
    """A command that asks a server. What neither the command line nor the environment says, ``[client]`` in the TOML file
    does."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """As ``TyperCommand``."""
        return super().make_context(info_name, args, parent, **{"default_map": FromFile(), **extra})


class FromFile(dict[str, Any]):
    """The settings of clients in the TOML file, read when the first of them is asked for."""

    def get(self, name: str, default: Any = None) -> Any:
        """One of them. Raises ``InvalidArgumentError``, ``NotFoundError`` if the file can't be used."""
        from perdure.app.client_config import CLIENT_NAMES, client_settings_of_file

        return client_settings_of_file().get(name, default) if name in CLIENT_NAMES else default


class Commands(typer.Typer):
    """A group of commands."""

    def command(self, name: str | None = None, *, cls: Any = None, **options: Any) -> Callable[[Any], Any]:
        """As ``typer.Typer.command``; commands that take a token get the options for certificates."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            parent = super(Commands, self).command
            if "token" in inspect.signature(function).parameters:
                parent(name, cls=cls or ServerCommand, **options)(_with_options(function))
            else:
                parent(name, cls=cls, **options)(function)
            return function

        return register


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    own = list(inspect.signature(command).parameters.values())

    @wraps(command)
    def run(**given: Any) -> None:
        _given.set({name: given.pop(name) for name in OPTIONS})
        command(**given)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=option)
        for name, option in OPTIONS.items()
    ]
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    run.__signature__ = inspect.Signature([*keywords, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    del run.__wrapped__
    return run
