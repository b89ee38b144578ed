"""Events as JSON that people can read: every attribute by its name, those at their default left out.

Payloads that are text are kept as text; enumerations go by their names. What is written is read back exactly.
"""

from base64 import b64decode, b64encode
from enum import IntEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from perdure.model import events as e
from perdure.model.errors import InvalidArgumentError
from perdure.model.payloads import Payload

FORMAT = "perdure-history"
VERSION = 1
"""Of files that say what they are about. Raised when they come to say something that older readers would misunderstand."""

_KINDS: dict[str, type[e.Record]] = {kind.__name__: kind for kind in get_args(e.Event)}


def event_to_object(event: e.Event) -> dict[str, Any]:
    """An event as a JSON object; ``type`` is the name of its class."""
    return {"type": type(event).__name__, **_to_object(event)}


def event_from_object(item: dict[str, Any]) -> e.Event:
    """The event of an object that ``event_to_object`` made.

    Raises ``InvalidArgumentError`` when it is something else.
    """
    item = dict(item)
    kind = _KINDS.get(item.pop("type", ""))
    if kind is None:
        raise InvalidArgumentError(f"an event has no known type: {item}")
    try:
        event: e.Event = _from_object(item, kind)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidArgumentError(f"a {kind.__name__} cannot be read: {error!r:.500}") from error
    return event


def _to_object(record: msgspec.Struct) -> dict[str, Any]:
    if isinstance(record, Payload):
        return _payload_to_object(record)
    written: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if field.default is msgspec.NODEFAULT or value != field.default:
            written[field.name] = _to_plain(value)
    return written


def _to_plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return _to_object(value)
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    return value


def _payload_to_object(payload: Payload) -> dict[str, Any]:
    written: dict[str, Any] = {"encoding": payload.encoding}
    try:
        written["text"] = payload.data.decode()
    except UnicodeDecodeError:
        written["base64"] = b64encode(payload.data).decode()
    if payload.metadata is not None:
        written["metadata"] = {key: b64encode(value).decode() for key, value in payload.metadata.items()}
    return written


def _from_object(item: Any, kind: type[Any]) -> Any:
    if not isinstance(item, dict):
        raise InvalidArgumentError(f"{item!r} should be an object: a {kind.__name__}")
    if kind is Payload:
        return _payload_from_object(item)
    hints = get_type_hints(kind)
    try:
        return kind(**{name: _from_plain(value, hints[name]) for name, value in item.items()})
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise InvalidArgumentError(f"a {kind.__name__} cannot be read: {error!r} in {item}") from error


def _from_plain(value: Any, hint: Any) -> Any:
    origin = get_origin(hint)
    if origin is Union or origin is UnionType:
        if value is None:
            return None
        return _from_plain(value, next(arg for arg in get_args(hint) if arg is not type(None)))
    if origin is tuple:
        return tuple(_from_plain(item, get_args(hint)[0]) for item in value)
    if origin is dict:
        return {key: _from_plain(item, get_args(hint)[1]) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _from_object(value, hint)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return hint[value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise InvalidArgumentError(f"{value} is more than a whole number can be here")
    return msgspec.convert(value, hint)


def _payload_from_object(item: dict[str, Any]) -> Payload:
    data = item["text"].encode() if "text" in item else b64decode(item.get("base64", ""), validate=True)
    metadata = item.get("metadata")
    if metadata is not None:
        metadata = {key: b64decode(value, validate=True) for key, value in metadata.items()}
    return Payload(data, item["encoding"], metadata)
