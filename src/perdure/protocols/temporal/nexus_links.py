"""Links: what an event has to do with others, as Temporal's messages and as the URLs that Nexus carries."""

from collections.abc import Iterable
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from temporalio.api.common.v1 import message_pb2 as common
from temporalio.api.enums.v1 import event_type_pb2
from temporalio.api.nexus.v1 import message_pb2 as nexus

WORKFLOW_EVENT = "temporal.api.common.v1.Link.WorkflowEvent"

EventType = event_type_pb2.EventType


def event_link(namespace: str, workflow_id: str, run_id: str, event_id: int, event_type: int) -> common.Link:
    """A link to an event."""
    reference = common.Link.WorkflowEvent.EventReference(event_id=event_id, event_type=event_type)  # type: ignore[arg-type]
    return common.Link(
        workflow_event=common.Link.WorkflowEvent(
            namespace=namespace, workflow_id=workflow_id, run_id=run_id, event_ref=reference
        )
    )


def nexus_link(link: common.Link) -> nexus.Link:
    """A link to an event as Nexus carries it."""
    event = link.workflow_event
    place = "/".join(quote(part, safe="") for part in (event.namespace, "workflows", event.workflow_id, event.run_id))
    asked = {
        "eventID": event.event_ref.event_id,
        "eventType": _camel(event.event_ref.event_type),
        "referenceType": "EventReference",
    }
    return nexus.Link(url=f"temporal:///namespaces/{place}/history?{urlencode(asked)}", type=WORKFLOW_EVENT)


def from_nexus(links: Iterable[nexus.Link]) -> tuple[bytes, ...]:
    """Links that somebody sent, as they are stored; those to anything but events are left out."""
    found = [event for link in links if (event := _event(link)) is not None]
    return tuple(link.SerializeToString() for link in found)


def stored(links: Iterable[bytes]) -> list[common.Link]:
    """Links that were stored."""
    return [common.Link.FromString(link) for link in links]


def _event(link: nexus.Link) -> common.Link | None:
    if link.type != WORKFLOW_EVENT:
        return None
    try:
        parts = urlsplit(link.url)
        head, *place = parts.path.lstrip("/").split("/")
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        namespace, _, workflow_id, run_id, _ = (unquote(part) for part in place)
        if parts.scheme != "temporal" or head != "namespaces":
            return None
        kind = _number(asked.get("eventType", ""))
        event = common.Link.WorkflowEvent(namespace=namespace, workflow_id=workflow_id, run_id=run_id)
        if asked.get("referenceType") == "RequestIdReference":
            event.request_id_ref.request_id = asked.get("requestID", "")
            event.request_id_ref.event_type = kind  # type: ignore[assignment]
        else:
            event.event_ref.event_id = int(asked.get("eventID", "0"))
            event.event_ref.event_type = kind  # type: ignore[assignment]
    except ValueError:
        return None
    return common.Link(workflow_event=event)


def _camel(number: int) -> str:
    return "".join(
        word.capitalize()
        for word in EventType.Name(number).removeprefix("EVENT_TYPE_").split("_")  # type: ignore[arg-type]
    )


_NUMBERS = {_camel(number): number for number in EventType.values()}


def _number(name: str) -> int:
    if name.startswith("EVENT_TYPE_"):
        return EventType.Value(name)
    return _NUMBERS.get(name, 0)
