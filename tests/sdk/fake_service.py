"""A ``Service`` that keeps what it is asked and answers as it was told to."""

from collections.abc import Sequence
from typing import Any

from perdure.model.errors import NotFoundError, RunClosedError
from perdure.model.events import Event, WorkflowExecutionCompleted
from perdure.model.explanation import Explanation
from perdure.model.figures import Figures
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.payloads import Payload, PayloadMap, Payloads
from perdure.model.requests import Request, StartWorkflow, UpdateWorkflow
from perdure.model.search import AttributeType, AttributeTypes
from perdure.model.service import (
    HistoryPage,
    Namespace,
    NamespaceDescription,
    RunCount,
    RunDescription,
    RunPage,
    StartResult,
    UpdateOutcome,
    UpdateStage,
)
from perdure.model.task_queues import TaskQueue, TaskQueueDescription
from perdure.model.workers import WorkerDescription


class FakeService:
    """Only good for asking what a client sends: it decides nothing."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.closing: dict[str, Event] = {}
        self.outcomes: list[UpdateOutcome] = []
        self.answer: Payloads = ()
        self.events: list[Event] = []
        self.pages: list[RunPage] = []
        self.counts: list[RunCount] = []
        self.description: RunDescription | None = None
        self.explanation: Explanation | None = None
        self.closed_runs: set[str] = set()

    def last(self) -> tuple[Any, ...]:
        """What was asked last."""
        return self.calls[-1]

    async def start(self, namespace: str, request: StartWorkflow) -> StartResult:
        self.calls.append(("start", namespace, request))
        return StartResult("run-1", True)

    async def execute(self, namespace: str, request: StartWorkflow) -> tuple[str, Event]:
        result = await self.start(namespace, request)
        return await self.wait_closed(RunAddress(namespace, request.workflow_id, result.run_id), follow=True)

    async def request(self, address: RunAddress, request: Request) -> None:
        self.calls.append(("request", address, request))
        if address.run_id in self.closed_runs:
            raise RunClosedError(f"run {address.run_id} is closed")

    async def update(self, address: RunAddress, request: UpdateWorkflow, wait: UpdateStage) -> UpdateOutcome:
        self.calls.append(("update", address, request, wait))
        if address.run_id in self.closed_runs:
            raise RunClosedError(f"run {address.run_id} is closed")
        return self.outcomes.pop(0)

    async def query(
        self, address: RunAddress, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads:
        self.calls.append(("query", address, name, input))
        return self.answer

    async def wait_closed(self, address: RunAddress, *, follow: bool) -> tuple[str, Event]:
        self.calls.append(("wait_closed", address, follow))
        default = WorkflowExecutionCompleted(9, 0, (Payload(b"null"),))
        return address.run_id or "run-1", self.closing.get(address.run_id, default)

    async def describe(self, address: RunAddress) -> RunDescription:
        self.calls.append(("describe", address))
        assert self.description is not None
        return self.description

    async def explain(self, address: RunAddress) -> Explanation:
        self.calls.append(("explain", address))
        assert self.explanation is not None
        return self.explanation

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> HistoryPage:
        self.calls.append(("history", address, after, wait))
        page = [event for event in self.events if event.id > after][: min(limit, 2)]
        return HistoryPage("run-1", page, bool(page) and page[-1] is self.events[-1])

    async def list(
        self,
        namespace: str,
        *,
        filter: str,
        statuses: Sequence[RunStatus],
        workflow_type: str,
        cursor: str,
        limit: int,
    ) -> RunPage:
        self.calls.append(("list", namespace, filter, tuple(statuses), workflow_type, cursor))
        return self.pages.pop(0)

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> RunCount:
        self.calls.append(("count", namespace, filter, tuple(statuses), workflow_type))
        return self.counts.pop(0)

    async def search_attributes(self, namespace: str) -> AttributeTypes:
        self.calls.append(("search_attributes", namespace))
        return {"Amount": AttributeType.INT, "Tags": AttributeType.KEYWORD_LIST}

    async def add_search_attributes(self, namespace: str, types: AttributeTypes) -> None:
        self.calls.append(("add_search_attributes", namespace, types))

    async def remove_search_attributes(self, namespace: str, names: Sequence[str]) -> None:
        self.calls.append(("remove_search_attributes", namespace, tuple(names)))

    async def reset(
        self,
        address: RunAddress,
        *,
        event_id: int,
        reason: str,
        request_id: str,
        loses_children: bool = False,
        leaves_out: Sequence[str] = (),
    ) -> str:
        self.calls.append(("reset", address, event_id, reason))
        return "run-2"

    async def fork(
        self,
        address: RunAddress,
        *,
        event_id: int,
        workflow_id: str,
        input: Payloads | None,
        reason: str,
        request_id: str,
    ) -> str:
        self.calls.append(("fork", address, event_id, workflow_id, input, reason))
        return "run-3"

    async def import_run(self, address: RunAddress, events) -> str:
        self.calls.append(("import_run", address, events))
        return address.run_id

    async def delete(self, address: RunAddress) -> None:
        self.calls.append(("delete", address))

    async def set_namespace(self, namespace: Namespace) -> None:
        self.calls.append(("set_namespace", namespace))

    async def describe_namespace(self, name: str) -> NamespaceDescription:
        return NamespaceDescription(Namespace(name), 1, 2, {})

    async def delete_namespace(self, name: str, *, force: bool) -> None:
        self.calls.append(("delete_namespace", name, force))

    async def namespaces(self) -> Sequence[Namespace]:
        return [Namespace("default")]

    async def set_task_queue(self, settings: TaskQueue) -> None:
        self.calls.append(("set_task_queue", settings))

    async def pause_task_queue(self, namespace: str, name: str, reason: str | None) -> None:
        self.calls.append(("pause_task_queue", (namespace, name, reason)))

    async def task_queues(self, namespace: str) -> Sequence[TaskQueue]:
        return []

    async def statistics(self, days: int) -> Figures:
        return Figures((), (), (), 0, 0, 0, 0, 0, 0, 0, 0)

    async def workers(self, namespace: str) -> Sequence[WorkerDescription]:
        return []

    async def describe_task_queue(self, namespace: str, name: str) -> TaskQueueDescription:
        raise NotFoundError(name)
