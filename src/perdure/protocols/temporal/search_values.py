"""Values of search attributes, with their types, as clients see them."""

from collections.abc import Mapping

import msgspec
from temporalio.api.common.v1 import message_pb2 as common

from perdure.model.payloads import JSON, NULL, Payload, PayloadMap
from perdure.model.search import AttributeType, AttributeTypes
from perdure.protocols.temporal.filters import SHOWN
from perdure.protocols.temporal.payloads import payload

WORDS: Mapping[AttributeType, bytes] = {
    AttributeType.TEXT: b"Text",
    AttributeType.KEYWORD: b"Keyword",
    AttributeType.INT: b"Int",
    AttributeType.FLOAT: b"Double",
    AttributeType.BOOL: b"Bool",
    AttributeType.DATETIME: b"Datetime",
    AttributeType.KEYWORD_LIST: b"KeywordList",
}


def search_attributes(values: PayloadMap, types: AttributeTypes) -> common.SearchAttributes:
    """Search attributes; each says its type."""
    found = {}
    for name, value in values.items():
        message = payload(value)
        kind = types.get(name)
        if kind is not None and "type" not in message.metadata:
            message.metadata["type"] = WORDS.get(kind, b"Keyword")
        found[SHOWN.get(name, name)] = message
    return common.SearchAttributes(indexed_fields=found)


OWN_TYPES: AttributeTypes = {"TemporalChangeVersion": AttributeType.KEYWORD_LIST}
"""What SDKs set by themselves."""


def typed(values: PayloadMap | None, types: AttributeTypes) -> PayloadMap | None:
    """Values that were sent, with their types as far as they are known: histories show them."""
    if not values:
        return values
    return {name: _typed(value, types.get(name) or OWN_TYPES.get(name)) for name, value in values.items()}


def _typed(value: Payload, kind: AttributeType | None) -> Payload:
    if value.encoding == JSON and value.data.strip() == b"null":
        # Some SDKs take an attribute away by this, others by a null of its own encoding.
        value = msgspec.structs.replace(value, data=b"", encoding=NULL)
    if kind is None or (value.metadata and "type" in value.metadata):
        return value
    return msgspec.structs.replace(value, metadata={**(value.metadata or {}), "type": WORDS[kind]})
