"""What a resource asks for: ``arn:aws:states:::SERVICE:ACTION.PATTERN``, ``arn:aws:states:::aws-sdk:SERVICE:ACTION``, or a
function's ARN."""

from typing import NamedTuple

FUNCTION = "function"


class Resource(NamedTuple):
    """A resource taken apart.

    ``service`` is FUNCTION for a Lambda function's ARN, which is its ``action`` then; ``pattern`` is empty, ``sync``,
    ``sync:2`` or ``waitForTaskToken``.
    """

    service: str
    action: str
    pattern: str = ""
    is_sdk: bool = False


def read(arn: str) -> Resource:
    """Take a resource apart. Raises ``ValueError`` for what is none."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        raise ValueError(f"{arn!r:.200} is no resource of a task")
    service, rest = parts[2], parts[5]
    if service == "lambda":
        return Resource(FUNCTION, arn)
    rest = rest.removeprefix(":")
    is_sdk = rest.startswith("aws-sdk:")
    name, _, action = rest.removeprefix("aws-sdk:").partition(":")
    action, _, pattern = action.partition(".")
    if service != "states" or not name or not action:
        raise ValueError(f"{arn!r:.200} is no resource of a task")
    return Resource(name, action, pattern, is_sdk)
