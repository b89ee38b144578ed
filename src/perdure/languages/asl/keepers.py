"""Who stops a job that nobody waits for any more: its keeper, a child workflow beside the task.

It holds until it is told that the job is over, as far as there is somebody to tell it. If it is cancelled instead - by the
task, whose time is over or whose branch is given up, or with the whole execution, however that ends - it makes the call that
stops the job, which looks first whether the job is over. A run that is ended from outside takes no turn any more, so it could
not do that itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from perdure.languages.asl import calls
from perdure.languages.asl.data import encode
from perdure.languages.asl.execution import TASK_QUEUE, Execution
from perdure.model import commands as c
from perdure.model.ids import RunAddress
from perdure.model.options import ParentClose
from perdure.model.payloads import Payload

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.resources import Resource

TYPE = "perdure.asl.job"
"""The workflow type of keepers."""

OVER = "perdure.job_over"
"""The signal that tells a keeper that its job is over."""

STOP = "stop"
"""The activity id of the call that stops the job."""

_HOLD = '{"StartAt": "Hold", "States": {"Hold": {"Type": "Wait", "Seconds": 99999999, "End": true}}}'


def begin(run: Interpreter, line: Line, state: State, resource: Resource, poll: Any, stop: Any) -> None:
    """A job has begun.

    Args:
        run, line, state: the task's.
        resource: of the task.
        poll: the request that looks at the job.
        stop: what whoever stops it is told.
    """
    workflow_id = f"{run.address.run_id}:{line.id}:{line.sequence}:job"
    told = calls.about(run, line, state, resource.text) | {"poll": poll, "stop": stop}
    execution = Execution(_HOLD, name=workflow_id, arn=workflow_id, machine_name=TYPE, stops=told)
    run.commands.append(
        c.StartChildWorkflowExecution(
            workflow_id,
            TYPE,
            TASK_QUEUE,
            input=(Payload(b"{}"), Payload(encode(msgspec.to_builtins(execution)))),
            parent_close_policy=ParentClose.CANCEL,
        )
    )
    line.notes = {**line.notes, "keeper": workflow_id}


def tell_over(run: Interpreter, line: Line) -> None:
    """The job is over."""
    if (workflow_id := line.notes.get("keeper")) is not None:
        address = RunAddress(run.address.namespace, workflow_id)
        run.commands.append(c.SignalExternalWorkflowExecution(address, OVER, child_workflow_only=True))


def cancel(run: Interpreter, line: Line) -> None:
    """Nobody waits for the job any more."""
    if (workflow_id := line.notes.get("keeper")) is not None:
        address = RunAddress(run.address.namespace, workflow_id)
        run.commands.append(c.RequestCancelExternalWorkflowExecution(address, child_workflow_only=True))


# --- in the keeper itself


def stop(run: Interpreter) -> bool:
    """It is cancelled: stop the job. False for a run that is no keeper, or that is doing so already."""
    told = run.execution.stops
    if not told:
        return False
    if STOP not in run.scheduled:
        run.commands.append(calls.call(STOP, told["resource"], None, told))
    return True


def is_done(run: Interpreter, name: str) -> bool:
    """Whether the activity that has ended was the last that the keeper had to do."""
    return name == STOP and bool(run.execution.stops)
