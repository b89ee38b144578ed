"""Who does the work."""

from datetime import datetime

import msgspec

from perdure.protocols.rest.operations import Call, Operations
from perdure.protocols.rest.paging import PageQuery, page_of
from perdure.protocols.rest.values import to_time

operations = Operations("workers")


class WorkerView(msgspec.Struct, frozen=True):
    """A worker that is connected, or was a moment ago. Activities and turns are those it has in hand, slots how many it
    can have; ``programs`` are the runs whose code it keeps in memory."""

    worker_id: str
    identity: str
    build_id: str
    task_queues: list[str]
    workflow_types: list[str]
    activity_types: list[str]
    is_connected: bool
    connected_time: datetime | None
    activities: int
    activity_slots: int
    turns: int
    turn_slots: int
    programs: int
    labels: dict[str, str]


class WorkersView(msgspec.Struct, frozen=True):
    """A page of those of a namespace, by identity; ``next_cursor`` is empty on the last one."""

    workers: list[WorkerView]
    next_cursor: str = ""


@operations.add("GET", "/namespaces/{namespace}/workers", query=PageQuery, answer=WorkersView)
async def list_workers(call: Call[None, PageQuery]) -> WorkersView:
    """The workers that are connected to a namespace."""
    found = await call.service.workers(call.namespace)
    page, next_cursor = page_of(found, lambda one: (one.identity, one.worker_id), call.query)
    return WorkersView(
        [
            WorkerView(
                one.worker_id,
                one.identity,
                one.build_id,
                list(one.task_queues),
                list(one.workflow_types),
                [name for name in one.activity_types if name],
                one.is_connected,
                to_time(one.connected_time),
                one.activities,
                one.activity_slots,
                one.turns,
                one.turn_slots,
                one.programs,
                dict(one.labels),
            )
            for one in page
        ],
        next_cursor,
    )
