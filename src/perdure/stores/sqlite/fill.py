"""What migrations need of the meaning of what is stored, as functions for their SQL.

A store understands no record otherwise; but a new table must be filled from the old ones.
"""

import sqlite3

import msgspec

from perdure.engine import encoding
from perdure.kernel import search_attribute
from perdure.model.events import WorkflowTaskCompleted
from perdure.model.payloads import NULL, PayloadMap
from perdure.model.search import AttributeType

_decode_map = msgspec.msgpack.Decoder(PayloadMap).decode


def add_functions(connection: sqlite3.Connection) -> None:
    """Make them known to a connection that migrates."""
    connection.create_function("suggested_types", 1, _suggested_types, deterministic=True)
    connection.create_function("found_by", 2, _found_by, deterministic=True)
    connection.create_function("build_of", 1, _build_of, deterministic=True)


def _suggested_types(attributes: bytes) -> str:
    """``[[name, type], ...]`` as the values themselves suggest."""
    found: list[tuple[str, int]] = []
    for name, payload in _decode_map(attributes).items():
        if payload.encoding != NULL:
            try:
                found.append((name, int(search_attribute.type_of(payload))))
            except search_attribute.Refused:
                pass  # it stays in the run and can't be searched by
    return msgspec.json.encode(found).decode()


def _found_by(attributes: bytes, types: str) -> str:
    """``[[name, value], ...]``."""
    known = {name: AttributeType(type) for name, type in msgspec.json.decode(types).items()}
    return msgspec.json.encode(sorted(search_attribute.entries(_decode_map(attributes), known), key=str)).decode()


def _build_of(records: bytes) -> str | None:
    """The build of the last turn in a commit; None if there is none."""
    for record in reversed(encoding.decode([records])):
        if isinstance(record, WorkflowTaskCompleted):
            return record.build_id
    return None
