"""Another machine's execution as a Task: how it is started as a child workflow, and what is said of it in the end."""

from typing import Any

import msgspec

from perdure.languages.asl.data import decode, encode
from perdure.languages.asl.execution import execution_of
from perdure.languages.asl.failure import StateFailure
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model.options import IdReuse
from perdure.model.requests import StartWorkflow


def start_command(request: bytes, now_ns: int) -> tuple[c.StartChildWorkflowExecution, dict[str, Any]]:
    """The command that starts it, and what is known of it.

    Args:
        request: the ``StartWorkflow`` that ``start_of`` made, as MessagePack.
        now_ns: ns since 1970.
    """
    start = msgspec.msgpack.decode(request, type=StartWorkflow)
    execution = execution_of(start.input)
    about: dict[str, Any] = {
        "ExecutionArn": start.workflow_id,
        "Input": start.input[0].data.decode(),
        "StartDate": now_ns // 1_000_000,
    }
    if execution is not None:
        about |= {"Name": execution.name, "StateMachineArn": execution.machine_arn}
    command = c.StartChildWorkflowExecution(
        start.workflow_id,
        start.workflow_type,
        start.task_queue,
        input=start.input,
        workflow_execution_timeout_ns=start.execution_timeout_ns,
        workflow_run_timeout_ns=start.run_timeout_ns,
        workflow_id_reuse_policy=IdReuse.REJECT,
        memo=start.memo,
        search_attributes=start.search_attributes,
        header=start.header,
    )
    return command, about


def described(about: dict[str, Any], event: e.Event, *, is_parsed: bool) -> tuple[Any, StateFailure | None]:
    """What DescribeExecution says of it, as the task's output; or the failure that it makes.

    Args:
        about: what ``start_command`` knew.
        event: how it closed.
        is_parsed: whether input and output are values, as ``.sync:2`` has them, or text.
    """
    answer = {
        **about,
        "InputDetails": {"Included": True},
        "StopDate": event.time // 1_000_000,
    }
    match event:
        case e.ChildWorkflowExecutionCompleted():
            text = event.result[0].data.decode() if event.result else "null"
            answer |= {
                "Output": text,
                "OutputDetails": {"Included": True},
                "RedriveCount": 0,
                "RedriveStatus": "NOT_REDRIVABLE",
                "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
                "Status": "SUCCEEDED",
            }
        case e.ChildWorkflowExecutionFailed(failure=failure):
            answer |= {"Status": "FAILED"}
            if failure.type:
                answer["Error"] = failure.type
            if failure.message:
                answer["Cause"] = failure.message
        case e.ChildWorkflowExecutionTimedOut():
            answer |= {"Status": "TIMED_OUT"}
        case e.StartChildWorkflowExecutionFailed():
            message = f"Execution Already Exists: '{about['ExecutionArn']}'"
            return None, StateFailure("StepFunctions.ExecutionAlreadyExistsException", message)
        case _:
            answer |= {"Status": "ABORTED"}
    answer = {key: answer[key] for key in sorted(answer)}
    if is_parsed:
        for name in ("Input", "Output"):
            if name in answer:
                answer[name] = decode(answer[name])
    if answer["Status"] == "SUCCEEDED":
        return answer, None
    return None, StateFailure("States.TaskFailed", encode(answer).decode())
