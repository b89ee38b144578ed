"""What a run of a state machine is told at its start, and keeps: the definition that it goes by, and who it is to AWS."""

from typing import Any

import msgspec

from perdure.languages.asl.definition import definition_of
from perdure.model.errors import InvalidArgumentError
from perdure.model.events import WorkflowExecutionStarted
from perdure.model.payloads import Payload, Payloads
from perdure.model.requests import StartWorkflow

TASK_QUEUE = "perdure.asl"
"""Where runs of machines, and what they call, are taken care of by the engine's own worker."""

TOKEN_TYPE = "perdure.asl.token"
"""The type of the activity that stands for a task token: it is completed by whoever has the token."""


class Execution(msgspec.Struct, frozen=True, omit_defaults=True):
    """A machine and one execution of it, as data that the run's first event holds.

    Args:
        definition: the machine's text.
        name: the execution's.
        arn: the execution's.
        role_arn: what the machine may do, on AWS; shown, and handed to whoever makes calls.
        machine_name: as the machine is listed.
        machine_arn: as the machine is listed.
        type: STANDARD or EXPRESS.
        region: of the ARNs.
        account: of the ARNs.
        start_time: what ``$$.Execution.StartTime`` says; the time of the run's first event if it is empty.
        redrive_count: how often it was redriven.
        redrive_time: when it was redriven last.
        test_case: of the file of mocks.
        mocked: states whose tasks are always left to the engine's own worker.
        missing: activities, by ARN, that there were not when it started.
        targets: by resource, or by the ARN of a Lambda function: the activity type, and the task queue (the run's if it
            is empty), of a worker that serves it.
        task_queue: where activities are that have no ARN; the run's own without it.
        is_local: whether Lambda functions are activities of the same name on the run's queue.
        is_strict: whether AWS's limit of 256 KiB for a task's result holds.
        event_limit: how many of AWS's events an execution may have; 0 for any number. AWS's is 25,000. With one, the limit of
            ``is_strict`` holds for what any state gives.
        wait_time_scale: the time of a Wait and between attempts is this many times as long; for tests.
        map_run_arn: of the Map that this is a child execution of.
        states: the name of the field, or fields, of the definition's states that hold this child's; JSON pointers.
        stops: of the keeper of a job: what whoever stops it is told.
    """

    definition: str
    name: str = ""
    arn: str = ""
    role_arn: str = ""
    machine_name: str = ""
    machine_arn: str = ""
    type: str = "STANDARD"
    region: str = "us-east-1"
    account: str = "000000000000"
    start_time: str = ""
    redrive_count: int = 0
    redrive_time: str = ""
    test_case: str = ""
    mocked: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    targets: dict[str, tuple[str, str]] = {}
    task_queue: str = ""
    is_local: bool = False
    is_strict: bool = False
    event_limit: int = 0
    wait_time_scale: float = 1.0
    map_run_arn: str = ""
    states: str = ""
    stops: dict[str, Any] = {}


def start_of(
    execution: Execution, input_text: str, workflow_id: str = "", timeout_seconds: float | None = None
) -> StartWorkflow:
    """The request that starts an execution. Its workflow id is the execution's ARN, unless another is given.

    Args:
        execution: what the run keeps.
        input_text: the execution's input, as JSON.
        workflow_id: of the run.
        timeout_seconds: how long it may take, 0 for any time; without it, the machine's ``TimeoutSeconds``.
    """
    if timeout_seconds is None:
        timeout_seconds = definition_of(execution.definition).timeout_seconds
    return StartWorkflow(
        workflow_id=workflow_id or execution.arn,
        workflow_type=execution.machine_name or "asl",
        task_queue=TASK_QUEUE,
        input=(Payload(input_text.encode()), Payload(msgspec.json.encode(execution))),
        run_timeout_ns=round(timeout_seconds * 1e9),
    )


def execution_of(input: Payloads) -> Execution | None:
    """What ``start_of`` put into a run's input; None if there is nothing of the kind.

    Raises:
        InvalidArgumentError: it is something else.
    """
    if len(input) < 2:
        return None
    try:
        return msgspec.json.decode(input[1].data, type=Execution)
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(
            f"the second argument of the run is no execution of a state machine: {error}"
        ) from error


def read_start(started: WorkflowExecutionStarted) -> tuple[Execution, str]:
    """The execution and the input that a run was started with.

    Raises:
        ValueError: it is no run of ``start_of``.
    """
    execution = execution_of(started.input)
    if execution is None:
        raise ValueError("this run was not started as an execution of a state machine")
    return execution, started.input[0].data.decode()
