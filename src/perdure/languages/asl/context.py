"""The context object: what ``$$`` and ``$states.context`` say of the execution."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from perdure.languages.asl.execution import Execution


@lru_cache(maxsize=1024)
def timestamp(ns: int) -> str:
    """A time as AWS writes it.

    Args:
        ns: since 1970.
    """
    return datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def of_execution(execution: Execution, input: Any, started_ns: int) -> dict[str, Any]:
    """The part that is the same for the whole execution."""
    about: dict[str, Any] = {
        "Id": execution.arn,
        "Input": input,
        "Name": execution.name,
        "RoleArn": execution.role_arn,
        "StartTime": execution.start_time or timestamp(started_ns),
    }
    if execution.type != "EXPRESS":
        about["RedriveCount"] = execution.redrive_count
    if execution.redrive_time:
        about["RedriveTime"] = execution.redrive_time
    return {
        "Execution": about,
        "StateMachine": {"Id": execution.machine_arn, "Name": execution.machine_name},
    }


def of_state(whole: dict[str, Any], name: str, entered_ns: int, attempt: int | None) -> dict[str, Any]:
    """The context object in a state; ``attempt`` is there where it can be retried."""
    state: dict[str, Any] = {"EnteredTime": timestamp(entered_ns), "Name": name}
    if attempt is not None:
        state["RetryCount"] = attempt
    return {**whole, "State": state}
