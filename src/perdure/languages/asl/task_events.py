"""AWS's events of a Task: three families of them, by what the Resource names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl.data import Data, Details, raw
from perdure.languages.asl.failure import StateFailure
from perdure.languages.asl.resources import Resource

if TYPE_CHECKING:
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line

NOBODY = "perdure.nobody"
"""Who polls without saying who it is."""

FAMILIES = {"lambda": "LambdaFunction", "activity": "Activity", "name": "Activity", "service": "Task"}


def _whose(resource: Resource) -> Details:
    if resource.kind == "service":
        return {"resource": raw(resource.action), "resourceType": raw(resource.type)}
    return {}


def scheduled(
    run: Interpreter,
    line: Line,
    resource: Resource,
    input: Data,
    timeout: float | None,
    heartbeat: float | None,
    credentials: Any,
) -> None:
    """The task is asked for. But for activities, which a worker fetches, it also counts as started."""
    details = _whose(resource)
    if resource.kind == "service":
        details["parameters"] = raw(input)
        details["region"] = raw(run.execution.region)
    else:
        details["input"] = raw(input)
        details["resource"] = raw(resource.text)
    if timeout is not None:
        details["timeoutInSeconds"] = raw(timeout)
    if heartbeat is not None and resource.kind != "lambda":
        details["heartbeatInSeconds"] = raw(heartbeat)
    if isinstance(credentials, dict) and "RoleArn" in credentials:
        details["taskCredentials"] = raw({"roleArn": credentials["RoleArn"]})
    run.log(line, f"{FAMILIES[resource.kind]}Scheduled", details)
    if resource.kind in ("service", "lambda"):
        run.log(line, f"{FAMILIES[resource.kind]}Started", _whose(resource))


def started(run: Interpreter, line: Line, resource: Resource, worker: str) -> None:
    """A worker has fetched the activity."""
    run.log(
        line, f"{FAMILIES[resource.kind]}Started", {"workerName": raw(worker)} if worker not in ("", NOBODY) else {}
    )


def submitted(run: Interpreter, line: Line, resource: Resource, output: Data) -> None:
    """The service has answered, and what it began goes on."""
    run.log(line, "TaskSubmitted", {**_whose(resource), "output": raw(output)})


def succeeded(run: Interpreter, line: Line, resource: Resource, output: Data) -> None:
    """The task is done."""
    run.log(line, f"{FAMILIES[resource.kind]}Succeeded", {**_whose(resource), "output": raw(output)})


def failed(run: Interpreter, line: Line, resource: Resource, failure: StateFailure) -> None:
    """The task has failed."""
    run.log(line, f"{FAMILIES[resource.kind]}Failed", {**_whose(resource), **_why(failure)})


def timed_out(run: Interpreter, line: Line, resource: Resource, failure: StateFailure) -> None:
    """The task took too long."""
    run.log(line, f"{FAMILIES[resource.kind]}TimedOut", {**_whose(resource), **_why(failure)})


def _why(failure: StateFailure) -> Details:
    details: Details = {}
    if failure.error:
        details["error"] = raw(failure.error)
    if failure.cause:
        details["cause"] = raw(failure.cause)
    return details
