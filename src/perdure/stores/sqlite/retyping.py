"""Another type for a search attribute: what runs are found by is written anew.

Only an attribute that was removed gets one, so all runs of its namespace may be looked at for it.
"""

import sqlite3
from typing import Any

import msgspec

from perdure.kernel import search_attribute
from perdure.model.payloads import PayloadMap
from perdure.model.search import AttributeType
from perdure.stores.sqlite.queries import execute_rows, query

_decode_map = msgspec.msgpack.Decoder(PayloadMap).decode


def retype(connection: sqlite3.Connection, *, namespace: str, name: str, type: AttributeType) -> None:
    """Within the transaction that is open. Values that are not of the type are left out, and all if it is REMOVED."""
    connection.execute(query("set_attribute_type"), (namespace, name, int(type)))
    connection.execute(query("clear_attribute"), (namespace, name))
    if type is AttributeType.REMOVED:
        return
    found: list[Any] = []
    for key, start_time, attributes in connection.execute(query("list_attributes_of_runs"), (namespace,)):
        held = _decode_map(attributes)
        if name in held:
            for _, value in search_attribute.entries({name: held[name]}, {name: type}):
                found += (namespace, name, value, start_time, key)
    execute_rows(connection, "put_attribute_values", found)
