"""What a history says, without what differs each time it is made: times, random ids, sizes and names of processes.

What is left is every event in its order, with its number and its references to other events: two servers that give the same
digest are the same to an SDK.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio.api.history.v1 import HistoryEvent

# What these say is of the server or of the SDK's build, not of the run; or only this server's namespaces have it.
LEFT_OUT = {
    "externalNamespaceId",
    "inheritBuildId",
    "namespaceId",
    "parentWorkflowNamespaceId",
    "requestId",
    "useWorkflowBuildId",
    "binaryChecksum",
    "historySizeBytes",
    "identity",
    "inheritedBuildId",
    "meteringMetadata",
    "prevAutoResetPoints",
    "sdkMetadata",
    "suggestContinueAsNewReasons",
    "workerVersion",
    "workerDeploymentName",
    "workerDeploymentVersion",
    "deploymentVersion",
    "versioningBehavior",
    "links",
    "timeSkippingStatePropagation",
    "workflowExecutionExpirationTime",
}
# Different each time; that it is there is kept.
MASKED = {
    "acceptedRequestMessageId",
    "baseRunId",
    "continuedExecutionRunId",
    "firstExecutionRunId",
    "newExecutionRunId",
    "newRunId",
    "originalExecutionRunId",
    "protocolInstanceId",
    "rejectedRequestMessageId",
    "runId",
    "temporal-callback-token",
    "url",
    "stackTrace",
    "updateId",
}
MASK = "…"
A_TIME_MS = 1_500_000_000_000
KNOWN_NAMES = re.compile(r"(types: |Known\w+=)\[[^]]*\]")
"""Go's SDK lists what it knows in any order."""
RUN_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# Values inside payloads that an SDK takes from the clock or from chance.
MASKED_VALUES = {
    "complete_time",
    "original_schedule_time",
    "ReplayTime",
    "ActivityID",
    "replayTime",
    "activityId",
    "seq",
}


def digest(events: Iterable[HistoryEvent]) -> list[str]:
    """One line an event: its number, its type, and what it says as JSON with sorted keys."""
    return [_line(event) for event in events]


def _line(event: HistoryEvent) -> str:
    kind = event.WhichOneof("attributes") or ""
    name = "".join(part.capitalize() for part in kind.removesuffix("_event_attributes").split("_"))
    attributes = MessageToDict(getattr(event, kind)) if kind else {}
    if attributes.get("initiator") == "CONTINUE_AS_NEW_INITIATOR_WORKFLOW":
        # A server may hold back a run that continues itself too often, by what is left of a second.
        attributes.pop("firstWorkflowTaskBackoff", None)
    if kind.endswith("external_workflow_execution_initiated_event_attributes"):
        # Whether a worker names its own namespace is the worker's matter; who is reached is in the workflow id.
        attributes.pop("namespace", None)
    if kind == "workflow_task_scheduled_event_attributes":
        # Whether it waited for the worker that remembers the run: no SDK looks, and it depends on who was quick.
        attributes.pop("taskQueue", None)
    if "." in attributes.get("firstWorkflowTaskBackoff", ""):
        attributes["firstWorkflowTaskBackoff"] = MASK  # up to the next time of a cron expression
    if event.HasField("user_metadata"):
        attributes["userMetadata"] = MessageToDict(event.user_metadata)
    said = _masked(attributes)
    return f"{event.event_id} {name} {json.dumps(said, sort_keys=True, ensure_ascii=False)}"


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        return _worded(value)
    if not isinstance(value, dict):
        return value
    if set(value) <= {"metadata", "data", "externalPayloads"} and "metadata" in value:
        return _payload(value)
    if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
        value = {**value, "name": MASK}
    if "temporal-callback-token" in value:
        value = {key: inner for key, inner in value.items() if key != "source"}  # which server it is
    found = {}
    for key, inner in value.items():
        if key in LEFT_OUT:
            continue
        if key in MASKED and inner:
            found[key] = MASK
            continue
        said = _masked(inner)
        # An SDK cannot tell what is empty from what is missing.
        if said not in ({}, "0s"):
            found[key] = said
    return found


def _payload(value: dict[str, Any]) -> Any:
    """What a payload means, if it is JSON; else its metadata and bytes."""
    data = base64.b64decode(value.get("data", ""))
    metadata = {key: base64.b64decode(item).decode() for key, item in value["metadata"].items()}
    encoding = metadata.pop("encoding", "")
    if encoding == "binary/null":
        said: Any = None
    elif encoding in ("json/plain", "json/protobuf"):
        said = plain(json.loads(data))
    else:
        return {"encoding": encoding, **metadata, "data": value.get("data", "")}
    # A search attribute's type is part of what is recorded.
    return {"value": said, **metadata} if metadata else said


def plain(value: Any) -> Any:
    """A value of JSON without random ids."""
    if isinstance(value, dict):
        return {key: MASK if key in MASKED_VALUES else plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, int) and value > A_TIME_MS:
        return MASK
    return _worded(value) if isinstance(value, str) else value


def _worded(text: str) -> str:
    return KNOWN_NAMES.sub(rf"\1{MASK}", RUN_ID.sub(MASK, text))
