"""What a call to the outside is told besides its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.languages.asl.data import encode
from perdure.languages.asl.execution import TASK_QUEUE
from perdure.model import commands as c
from perdure.model.options import RetryPolicy
from perdure.model.payloads import Payload

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line

ONCE = RetryPolicy(max_attempts=1)
"""Of a worker's activity: to try again is the machine's own affair."""

UNTIL_ANSWERED = RetryPolicy(max_attempts=0)
"""Of calls by the engine's own worker. What they fail with is final; only an attempt that was lost with a server is made again."""

UNTIL_SAID = RetryPolicy(max_attempts=0, non_retryable=("TemporalTimeout:Heartbeat",))
"""Of what stands for a task token: only whoever has the token, or the clock, says how it ends. An attempt that was lost with a
server was nobody's failure."""


def about(run: Interpreter, line: Line, state: State, resource: str) -> dict[str, Any]:
    """Who calls, and what for."""
    execution = run.execution
    return {
        "resource": resource,
        "execution": execution.arn,
        "machine": execution.machine_name,
        "state": state.name,
        "attempt": line.attempt,
        "region": execution.region,
        "account": execution.account,
        "role": execution.role_arn,
        "test_case": execution.test_case,
    }


def service(
    run: Interpreter, name: str, resource: str, parameters: Any, told: dict[str, Any]
) -> c.ScheduleActivityTask:
    """The command for a call that a Map makes to read or write: by whoever stands for the resource, else as ``call``."""
    target = run.execution.targets.get(resource)
    if target is None:
        return call(name, resource, parameters, told)
    activity_type, queue = target
    inputs = (Payload(encode(parameters)),)
    return c.ScheduleActivityTask(name, activity_type, queue or run.task_queue, inputs, retry_policy=ONCE)


def call(name: str, resource: str, parameters: Any, told: dict[str, Any]) -> c.ScheduleActivityTask:
    """The command for a call by the engine's own worker."""
    inputs = (Payload(encode(parameters)), Payload(encode(told)))
    return c.ScheduleActivityTask(name, resource, TASK_QUEUE, inputs, retry_policy=UNTIL_ANSWERED)
