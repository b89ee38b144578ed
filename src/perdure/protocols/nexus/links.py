"""The header in which Nexus carries links: ``<url>; type="..."``, one after another."""

import re
from collections.abc import Iterable
from urllib.parse import quote, urlencode

from perdure.model.ids import RunAddress

EVENT = "temporal.api.common.v1.Link.WorkflowEvent"

_LINK = re.compile(r'<([^<>]*)>\s*;\s*type="([^"]*)"')

MOST = 32


def link_to_event(source: RunAddress, event_id: int, event_type: str) -> str:
    """The header's value for an event; the URL's form is Temporal's."""
    place = "/".join(
        quote(part, safe="") for part in (source.namespace, "workflows", source.workflow_id, source.run_id)
    )
    asked = urlencode({"eventID": event_id, "eventType": event_type, "referenceType": "EventReference"})
    return f'<temporal:///namespaces/{place}/history?{asked}>; type="{EVENT}"'


def links_in(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """URLs and types of the links in headers of that name."""
    found = [pair for name, value in headers if name.lower() == "nexus-link" for pair in _LINK.findall(value)]
    return found[:MOST]
