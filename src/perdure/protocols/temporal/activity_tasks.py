"""Attempts of activities as the answers to polls, and those that a worker gets with the turn that asked for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.api.workflowservice.v1 import request_response_pb2 as pb

from perdure.engine.polls import Expected
from perdure.model.program import ActivityTask
from perdure.model.standalone import PREFIX
from perdure.protocols.temporal.calls import Call
from perdure.protocols.temporal.names import activity_type, execution_at, priority, retry_policy, workflow_type
from perdure.protocols.temporal.payloads import header, payloads
from perdure.protocols.temporal.times import duration, timestamp
from perdure.protocols.temporal.tokens import ActivityToken, encode

MOST_EAGER = 10
"""So many activities go with one turn at most."""


def activity_task(task: ActivityTask) -> pb.PollActivityTaskQueueResponse:
    """An attempt."""
    address, scheduled = task.address, task.scheduled
    token = ActivityToken(
        address.namespace, address.workflow_id, address.run_id, scheduled.id, task.attempt, scheduled.activity_id
    )
    is_standalone = address.workflow_id.startswith(PREFIX)
    return pb.PollActivityTaskQueueResponse(
        task_token=encode(token),
        workflow_namespace="" if is_standalone else address.namespace,
        workflow_type=None if is_standalone else workflow_type(task.workflow_type),
        workflow_execution=None if is_standalone else execution_at(address),
        activity_run_id=address.run_id if is_standalone else "",
        activity_type=activity_type(scheduled.activity_type),
        activity_id=scheduled.activity_id,
        header=header(scheduled.header),
        input=payloads(scheduled.input),
        heartbeat_details=payloads(task.heartbeat_details),
        scheduled_time=timestamp(scheduled.time),
        current_attempt_scheduled_time=timestamp(task.attempt_scheduled_time or scheduled.time),
        started_time=timestamp(task.started_time),
        attempt=task.attempt_count,
        schedule_to_close_timeout=duration(scheduled.schedule_to_close_timeout_ns),
        start_to_close_timeout=duration(scheduled.start_to_close_timeout_ns),
        heartbeat_timeout=duration(scheduled.heartbeat_timeout_ns),
        retry_policy=retry_policy(scheduled.retry_policy),
        priority=priority(scheduled.priority),
    )


class Eager:
    """Attempts that are expected to start with a turn."""

    def __init__(self, expected: Expected | None = None) -> None:
        self._expected = expected

    def tasks(self) -> list[pb.PollActivityTaskQueueResponse]:
        """Those that have started."""
        return [] if self._expected is None else [activity_task(task) for task in self._expected.tasks]


_NONE = Eager()


@contextmanager
def expect_eager(call: Call, namespace: str, request: pb.RespondWorkflowTaskCompletedRequest) -> Iterator[Eager]:
    """While a turn is handed in, the worker also asks for the activities that it is willing to start at once."""
    wanted = [
        command.schedule_activity_task_command_attributes
        for command in request.commands
        if command.schedule_activity_task_command_attributes.request_eager_execution
    ]
    if not wanted:
        yield _NONE
        return
    queue = wanted[0].task_queue.name
    count = min(MOST_EAGER, sum(attributes.task_queue.name == queue for attributes in wanted))
    with call.parts.polls.expect(namespace, queue, identity=request.identity, count=count) as expected:
        yield Eager(expected)
