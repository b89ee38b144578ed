"""Who begins a job that a task waits for, and stops it when nobody waits for it any more: its keeper, a child workflow.

The keeper makes the call that begins the job and tells the task what came of it. Then it holds until it is told that the job
is over, as far as there is somebody to tell it. If it is cancelled instead - by the task, whose time is over or whose branch
is given up, or with the whole execution, however that ends - it makes the call that stops the job, which looks first whether
the job is over. A run that is ended from outside takes no turn any more, so it could not do that itself. As the keeper alone
begins the job, there is no job without one: cancelled before its first turn it begins none, and cancelled while the call is
under way it hears the answer first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from perdure.languages.asl import calls
from perdure.languages.asl.data import Data, decode, encode
from perdure.languages.asl.execution import TASK_QUEUE, Execution
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.ids import ParentLink, RunAddress
from perdure.model.options import ParentClose
from perdure.model.payloads import Payload

if TYPE_CHECKING:
    from perdure.languages.asl.definition import State
    from perdure.languages.asl.interpreter import Interpreter
    from perdure.languages.asl.lines import Line
    from perdure.languages.asl.resources import Resource

TYPE = "perdure.asl.job"
"""The workflow type of keepers."""

BEGUN = "perdure.job_begun"
"""The signal by which a keeper tells its task what the service has answered."""

OVER = "perdure.job_over"
"""The signal that tells a keeper that its job is over."""

BEGIN = "begin"
"""The activity id of the call that begins the job."""

STOP = "stop"
"""The activity id of the call that stops the job."""

JOB = ":job"

_HOLD = '{"StartAt": "Hold", "States": {"Hold": {"Type": "Wait", "Seconds": 99999999, "End": true}}}'


class Begun(msgspec.Struct, frozen=True):
    """What a keeper tells its task.

    Args:
        keeper: its workflow id.
        answer: of the call that began the job.
    """

    keeper: str
    answer: dict[str, Any]


def begin(run: Interpreter, line: Line, input: Data, call: dict[str, Any]) -> None:
    """Have a keeper begin a job.

    Args:
        run, line: the task's; the line waits already.
        input: the call's parameters.
        call: what whoever makes the call is told.
    """
    _start(run, line, input.raw, {"begin": call})


def take_over(run: Interpreter, line: Line, state: State, resource: Resource, answer: dict[str, Any]) -> None:
    """Have a keeper for a job that has begun without one: by a task of a run of an older version, or by one that somebody
    else's worker does.

    Args:
        run, line, state: the task's.
        resource: of the task.
        answer: of whoever began it: ``poll``, the request that looks at the job, and ``stop``, those that stop it.
    """
    _start(run, line, b"{}", calls.about(run, line, state, resource.text) | {name: answer[name] for name in _STOPPING})


def _start(run: Interpreter, line: Line, input: bytes, told: dict[str, Any]) -> None:
    workflow_id = f"{run.address.run_id}:{line.id}:{line.sequence}{JOB}"
    execution = Execution(_HOLD, name=workflow_id, arn=workflow_id, machine_name=TYPE, stops=told)
    command = c.StartChildWorkflowExecution(
        workflow_id,
        TYPE,
        TASK_QUEUE,
        input=(Payload(input), Payload(encode(msgspec.to_builtins(execution)))),
        parent_close_policy=ParentClose.CANCEL,
    )
    run.start_child(f"{line.id}:{line.sequence}{JOB}", command)
    line.notes = {**line.notes, "keeper": workflow_id}


def tell_over(run: Interpreter, line: Line) -> None:
    """The job is over."""
    if (workflow_id := line.notes.get("keeper")) is not None:
        address = RunAddress(run.address.namespace, workflow_id)
        run.commands.append(c.SignalExternalWorkflowExecution(address, OVER, child_workflow_only=True))


def cancel(run: Interpreter, line: Line) -> None:
    """Nobody waits for the job any more."""
    if (workflow_id := line.notes.get("keeper")) is not None:
        if run.lines.children.get(workflow_id):
            run.cancel_child(run.lines.children[workflow_id])
        else:
            _cancel(run, workflow_id)


def has_started(run: Interpreter, event: e.ChildWorkflowExecutionStarted) -> None:
    """A keeper has started. It may be that it was cancelled before there was anybody to hear it: then again."""
    name = ":".join(event.workflow_id.removesuffix(JOB).split(":")[-2:])
    if run.waiting(name) is None:
        _cancel(run, event.workflow_id)


def _cancel(run: Interpreter, workflow_id: str) -> None:
    address = RunAddress(run.address.namespace, workflow_id)
    run.commands.append(c.RequestCancelExternalWorkflowExecution(address, child_workflow_only=True))


# --- in the keeper itself

_STOPPING = ("poll", "stop")
"""What an answer says of how to stop the job."""


def make_call(run: Interpreter) -> None:
    """The run begins: if it is a keeper, it begins its job."""
    if (call := run.execution.stops.get("begin")) is not None:
        command = calls.call(BEGIN, call["resource"], None, call)
        inputs = (Payload(run.input.raw), command.input[1])
        run.commands.append(msgspec.structs.replace(command, input=inputs))


def is_taken(run: Interpreter, name: str, event: e.Event, task: ParentLink | None) -> bool:
    """Whether the run is a keeper, and the activity that has ended one of its own; then it is seen to.

    Args:
        run: any run.
        name: the activity's id.
        event: how it ended.
        task: the run whose task it is.
    """
    if not run.execution.stops:
        return False
    if name == STOP:
        _end(run, c.CancelWorkflowExecution())
    elif name == BEGIN:
        (line,) = run.lines.lines.values()
        if not isinstance(event, e.ActivityTaskCompleted):
            if isinstance(event, e.ActivityTaskFailed) and "unwanted" not in line.notes:
                _end(run, c.FailWorkflowExecution(event.failure))
            else:
                _end(run, c.CancelWorkflowExecution())
            return True
        answer = decode(event.result[0].data) if event.result else {}
        answer = answer if isinstance(answer, dict) else {"output": answer}
        line.notes = {**line.notes, "answer": {part: answer[part] for part in _STOPPING if part in answer}}
        run.lines.change(line)
        if "unwanted" in line.notes:
            _stop(run, line)
        elif task is not None:
            said = Payload(encode(msgspec.to_builtins(Begun(run.address.workflow_id, answer))))
            address = RunAddress(task.namespace, task.workflow_id)
            run.commands.append(c.SignalExternalWorkflowExecution(address, BEGUN, (said,)))
            if "stop" not in answer:
                _end(run, c.CompleteWorkflowExecution(()))
    return True


def stop(run: Interpreter) -> bool:
    """It is cancelled: stop the job, as soon as it is known. False for a run that is no keeper, or that has nothing to stop."""
    told = run.execution.stops
    if not told or not run.lines.lines:
        return False
    (line,) = run.lines.lines.values()
    if "begin" not in told or "answer" in line.notes:
        _stop(run, line)
        return True
    if BEGIN not in run.scheduled:
        return False
    line.notes = {**line.notes, "unwanted": True}
    run.lines.change(line)
    return True


def _stop(run: Interpreter, line: Line) -> None:
    told = run.execution.stops
    if "begin" in told:
        about = {name: value for name, value in told["begin"].items() if name not in ("input", "timeout", "heartbeat")}
        told = about | line.notes["answer"]
    if "stop" not in told:
        _end(run, c.CancelWorkflowExecution())
    elif STOP not in run.scheduled:
        run.commands.append(calls.call(STOP, told["resource"], None, told))


def _end(run: Interpreter, command: c.AnyCommand) -> None:
    run.is_over = True
    run.commands.append(command)
