"""Payloads: the encoding is metadata like any other on the wire, and an attribute of its own here. All else is kept as it
came, so that any SDK reads what another one wrote."""

from collections.abc import Iterable, Mapping

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.sdk.v1 import user_metadata_pb2

from perdure.model.payloads import NULL, Payload, PayloadMap, Payloads, UserMetadata
from perdure.protocols.temporal.filters import SHOWN

ENCODING = "encoding"


def to_payload(given: common.Payload) -> Payload:
    """One value that was sent."""
    metadata = dict(given.metadata)
    encoding = metadata.pop(ENCODING, b"")
    try:
        return Payload(given.data, encoding.decode(), metadata or None)
    except UnicodeDecodeError:
        return Payload(given.data, "", dict(given.metadata))


def to_payloads(given: common.Payloads) -> Payloads:
    """Values that were sent."""
    return tuple([to_payload(payload) for payload in given.payloads])


def to_map(given: Mapping[str, common.Payload]) -> PayloadMap | None:
    """Values by name that were sent; None if there are none."""
    return {name: to_payload(payload) for name, payload in given.items()} if given else None


def to_changed_attributes(given: Mapping[str, common.Payload]) -> PayloadMap:
    """Search attributes that a program sets; a null or an empty list takes one away, however it is encoded."""
    return {
        name: to_payload(value)
        if value.data.strip() not in (b"null", b"[]")
        else Payload(b"", NULL, {key: said for key, said in value.metadata.items() if key != ENCODING} or None)
        for name, value in given.items()
    }


def payload(value: Payload) -> common.Payload:
    """One value."""
    made = common.Payload(data=value.data)
    # Set one by one: a mapping that is given to the constructor is walked through in Python.
    if value.metadata:
        for name, said in value.metadata.items():
            made.metadata[name] = said
    if value.encoding:
        made.metadata[ENCODING] = value.encoding.encode()
    return made


def payloads(values: Iterable[Payload]) -> common.Payloads | None:
    """Values; None for none at all."""
    found = [payload(value) for value in values]
    return common.Payloads(payloads=found) if found else None


def _map(values: PayloadMap | None) -> dict[str, common.Payload]:
    return {name: payload(value) for name, value in (values or {}).items()}


def header(values: PayloadMap | None) -> common.Header | None:
    """What interceptors pass along."""
    return common.Header(fields=_map(values)) if values else None


def memo(values: PayloadMap | None) -> common.Memo | None:
    """A memo."""
    return common.Memo(fields=_map(values)) if values else None


def search_attributes(values: PayloadMap | None) -> common.SearchAttributes | None:
    """Search attributes as a history shows them."""
    if not values:
        return None
    return common.SearchAttributes(
        indexed_fields={SHOWN.get(name, name): found for name, found in _map(values).items()}
    )


def user_metadata(value: UserMetadata) -> user_metadata_pb2.UserMetadata:
    """What people are told."""
    return user_metadata_pb2.UserMetadata(
        summary=payload(value.summary) if value.summary is not None else None,
        details=payload(value.details) if value.details is not None else None,
    )


def to_user_metadata(given: user_metadata_pb2.UserMetadata) -> UserMetadata | None:
    """As it was sent; None if nothing was."""
    summary = to_payload(given.summary) if given.HasField("summary") else None
    details = to_payload(given.details) if given.HasField("details") else None
    return UserMetadata(summary, details) if summary is not None or details is not None else None
