"""Temporal's protocol in front of an engine; its messages are loaded here, for those who ask for them."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from perdure.app.config import Config
from perdure.app.rest import Outside
from perdure.app.setting_kinds import Address
from perdure.engine.endpoints import Endpoints
from perdure.engine.operation_tokens import Seals
from perdure.engine.operations import Operations
from perdure.engine.polls import Polls
from perdure.engine.turn_polls import TurnPolls
from perdure.model.access import Gate
from perdure.model.errors import InvalidArgumentError
from perdure.model.namespaces import Namespace
from perdure.model.search import CUSTOM_TYPES, AttributeType
from perdure.model.service import Service
from perdure.sdk.batches.translated import TranslatedBatches
from perdure.sdk.schedules.translated import TranslatedSchedules

DEFAULT_PORT = 7233


def temporal_server(
    service: Service,
    gate: Gate,
    polls: Polls,
    turns: TurnPolls,
    operations: Operations,
    address: str,
    tls: ssl.SSLContext | None,
    endpoints: Endpoints,
    seals: Seals,
    now: Callable[[], int],
    outside: Outside,
) -> Any:
    """The listener, ready to be opened. Raises ``InvalidArgumentError`` if the extra is not installed."""
    try:
        from perdure.protocols.temporal.calls import Parts
        from perdure.protocols.temporal.server import TemporalProtocol
    except ImportError as error:
        raise InvalidArgumentError(
            f"Temporal's messages are not installed ({error}). Install them with: pip install 'perdure[temporal]'"
        ) from None
    parts = Parts(
        service,
        polls,
        turns,
        operations,
        version("perdure"),
        lambda namespace, identity: TranslatedSchedules(service, namespace, identity),
        lambda namespace, identity: TranslatedBatches(service, namespace, identity),
        endpoints,
        seals,
        now,
        lambda start, namespace, callback: outside.begin_nexus(service, start, namespace, callback),
    )
    return TemporalProtocol(gate, parts, address, tls)


class DevServer(msgspec.Struct, frozen=True):
    """What can be said to Temporal's development server besides its addresses: the namespaces that there are from the
    beginning on, and the search attributes in each of them."""

    namespaces: Sequence[str] = ("default",)
    search_attributes: Mapping[str, AttributeType] = {}


def dev_config(config: Config, *, ip: str, port: int, file: str) -> Config:
    """The settings of a server that stands in for Temporal's development server: what nobody has set is as there, in
    memory unless there is a ``file``. REST and the worker protocol take any free ports."""
    values = dict(config.values)
    values["temporal_address"] = Address(ip, port)
    if config.origins["store"] == "default":
        values["store"] = f"sqlite:///{file}" if file else "memory://"
    for name in ("rest_address", "grpc_address"):
        if config.origins[name] == "default":
            values[name] = Address("127.0.0.1", 0)
    return msgspec.structs.replace(config, values=values)


def attribute_of(text: str) -> tuple[str, AttributeType]:
    """``Name=Type``, with Temporal's words for the types. Raises ``InvalidArgumentError``."""
    name, _, word = text.partition("=")
    words = {kind.replace("_", ""): value for kind, value in CUSTOM_TYPES.items()} | {"double": AttributeType.FLOAT}
    kind = words.get(word.strip().lower().replace("_", ""))
    if not name.strip() or kind is None:
        raise InvalidArgumentError(f"{text!r} must be NAME=TYPE, with a type of {', '.join(CUSTOM_TYPES)}.")
    return name.strip(), kind


async def begin_dev(service: Service, dev: DevServer) -> None:
    """See that there is what was asked for. Raises ``PerdureError``."""
    known = {namespace.name for namespace in await service.namespaces()}
    for name in dev.namespaces:
        if name not in known:
            await service.set_namespace(Namespace(name))
        if dev.search_attributes:
            await service.add_search_attributes(name, dev.search_attributes)
