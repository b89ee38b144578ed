"""``events:putEvents``: what AWS's own integration does besides the call."""

from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.protocols.stepfunctions.calling.failures import TaskFailed

FAILED_ENTRY = "EventBridge.FailedEntry"


def told(parameters: Any, *arns: str) -> Any:
    """The request with the ARNs of the execution and its machine among each entry's resources.
    Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html"""
    entries = parameters.get("Entries") if isinstance(parameters, dict) else None
    if not isinstance(entries, list):
        return parameters
    also = [arn for arn in arns if arn]
    return {**parameters, "Entries": [_with(entry, also) if isinstance(entry, dict) else entry for entry in entries]}


def _with(entry: dict[str, Any], arns: list[str]) -> dict[str, Any]:
    resources = entry.get("Resources")
    return {**entry, "Resources": [*(resources if isinstance(resources, list) else []), *arns]}


def checked(answer: Mapping[str, Any]) -> Any:
    """An answer in which nothing failed. Raises ``TaskFailed`` for one in which an entry did: AWS answers 200 then."""
    if answer.get("FailedEntryCount"):
        raise TaskFailed(FAILED_ENTRY, msgspec.json.encode(answer).decode())
    return answer
