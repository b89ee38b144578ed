"""Asking a server through the SDK's client, where that knows more than the port below it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from perdure.cli.sources import ask, identity
from perdure.sdk.client import Client

T = TypeVar("T")


def ask_client(
    place: str | None, server: str, token: str, namespace: str, question: Callable[[Client], Awaitable[T]]
) -> T:
    """As ``sources.ask``, with a client in a namespace."""
    return ask(place, server, token, lambda service: question(Client(service, namespace, identity=identity())))
