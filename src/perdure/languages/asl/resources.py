"""What a Task's Resource names."""

from functools import lru_cache

import msgspec


class Resource(msgspec.Struct, frozen=True):
    """A Resource, taken apart.

    Args:
        text: as it is written.
        kind: "activity", "lambda" (a function's ARN), "service", or "name" for what is no ARN: a worker's activity type.
        type: of a service, as AWS's events name it: "lambda", "aws-sdk:s3" ...
        action: of a service, with its pattern: "invoke.waitForTaskToken".
        pattern: "", "sync", "sync:2" or "waitForTaskToken".
    """

    text: str
    kind: str
    type: str = ""
    action: str = ""
    pattern: str = ""


@lru_cache(maxsize=1024)
def resource_of(text: str) -> Resource:
    """What a Resource names."""
    if not text.startswith("arn:"):
        return Resource(text, "name")
    parts = text.split(":")
    service = parts[2] if len(parts) > 2 else ""
    if service == "lambda":
        return Resource(text, "lambda")
    if service == "states" and len(parts) > 6 and parts[5] == "activity":
        return Resource(text, "activity")
    rest = parts[5:]
    if rest[:1] == ["aws-sdk"]:
        type, action = ":".join(rest[:2]), ":".join(rest[2:])
    else:
        type, action = ":".join(rest[:1]), ":".join(rest[1:])
    return Resource(text, "service", type, action, action.partition(".")[2])
