"""How a task fails, in AWS's words."""

import re


class TaskFailed(Exception):
    """A task has failed: the error's name, which Retry and Catch go by, and its cause. ``may_pass``: the service could not
    answer, and may yet."""

    def __init__(self, error: str, cause: str = "", *, may_pass: bool = False) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.may_pass = may_pass


def refused_by(service: str, code: str, message: str, status: int, request_id: str, shown: str = "") -> TaskFailed:
    """A service has answered with an error.

    Args:
        service: as error names have it, such as ``DynamoDb``.
        code: the error's type, as the service says.
        shown: the service as its client names it, if that is something else.
    """
    name = code if code.endswith("Exception") else f"{code}Exception"
    cause = f"{message} (Service: {shown or service}, Status Code: {status}, Request ID: {request_id}) (SDK Attempt Count: 1)"
    may_pass = status >= 500 or status == 429 or "Throttl" in code or "TooManyRequests" in code
    return TaskFailed(f"{service}.{name}", cause, may_pass=may_pass)


def unreachable(service: str, message: str) -> TaskFailed:
    """Nobody has answered."""
    return TaskFailed(f"{service}.SdkClientException", message, may_pass=True)


def java_name(service_id: str) -> str:
    """A service's name as AWS's Java client has it, from its service id: ``DynamoDB`` is DynamoDb, ``SFN`` Sfn."""
    words = re.split(r"[^A-Za-z0-9]+", service_id)
    parts = [re.sub(r"(?<=[A-Z])[A-Z]+", lambda found: found[0].lower(), word) for word in words if word]
    return "".join(part[:1].upper() + part[1:] for part in parts)
