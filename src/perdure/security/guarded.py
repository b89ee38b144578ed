"""The client port for one caller: every operation asks first whether the caller may."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from perdure.model.access import ALL_NAMESPACES, Permission
from perdure.model.events import Event
from perdure.model.explanation import Explanation
from perdure.model.figures import Figures
from perdure.model.ids import RunAddress
from perdure.model.namespaces import Namespace, NamespaceDescription
from perdure.model.options import RunStatus
from perdure.model.payloads import PayloadMap, Payloads
from perdure.model.requests import OutsideRequest, SignalWorkflow, StartWorkflow, UpdateWorkflow, reserved_fields
from perdure.model.search import AttributeTypes
from perdure.model.service import (
    HistoryPage,
    RunCount,
    RunDescription,
    RunPage,
    Service,
    StartResult,
    UpdateOutcome,
    UpdateStage,
)
from perdure.model.system import SYSTEM_NAMESPACE, served_namespace
from perdure.model.task_queues import TaskQueue, TaskQueueDescription
from perdure.model.workers import WorkerDescription
from perdure.security.caller import Caller
from perdure.security.permissions import OPERATIONS, REQUESTS


class GuardedService:
    """``Service`` as one caller may use it."""

    __slots__ = ("_caller", "_service")

    def __init__(self, service: Service, caller: Caller) -> None:
        self._service = service
        self._caller = caller

    def _allow(self, operation: str, namespace: str) -> None:
        self._caller.enter()
        self._caller.need(operation, OPERATIONS[operation], namespace)

    def _allow_run(self, operation: str, address: RunAddress) -> None:
        self._caller.enter()
        namespace = self._meant(address)
        self._caller.need(operation, OPERATIONS[operation], namespace, workflow_id=address.workflow_id)

    def _meant(self, address: RunAddress) -> str:
        """The namespace that decides: for the engine's own runs the one that they work for."""
        if address.namespace != SYSTEM_NAMESPACE:
            return address.namespace
        return served_namespace(address.workflow_id) or ALL_NAMESPACES

    def _allow_start(self, operation: str, namespace: str, request: StartWorkflow) -> None:
        self._allow_run(operation, RunAddress(namespace, request.workflow_id))
        if reserved := reserved_fields(request):
            self._caller.refuse(operation, namespace, f"{reserved} can't be set by whoever asks for a start.")

    async def _act(self, operation: str, work: Callable[[], Awaitable[Any]], **details: Any) -> Any:
        return await self._caller.perform(operation, work, **details)

    async def _act_on_own(self, operation: str, request: StartWorkflow, work: Callable[[], Awaitable[Any]]) -> Any:
        """Start one of the engine's own runs, which then act for whoever did: schedules start runs, batches end them."""
        listed = " ".join(payload.data.decode(errors="replace") for payload in (request.memo or {}).values())
        return await self._act(
            operation, work, namespace=SYSTEM_NAMESPACE, workflow_id=request.workflow_id, listed=listed
        )

    # --- runs

    def start(self, namespace: str, request: StartWorkflow) -> Awaitable[StartResult]:
        """As ``Service.start``."""
        self._allow_start("start", namespace, request)
        if namespace == SYSTEM_NAMESPACE:
            return self._act_on_own("start", request, lambda: self._service.start(namespace, request))
        return self._service.start(namespace, request)

    def execute(self, namespace: str, request: StartWorkflow) -> Awaitable[tuple[str, Event]]:
        """As ``Service.execute``."""
        self._allow_start("execute", namespace, request)
        if namespace == SYSTEM_NAMESPACE:
            return self._act_on_own("execute", request, lambda: self._service.execute(namespace, request))
        return self._service.execute(namespace, request)

    async def request(self, address: RunAddress, request: OutsideRequest) -> None:
        """As ``Service.request``."""
        kind = request.__class__
        need = REQUESTS.get(kind)
        self._caller.enter()
        namespace = self._meant(address)
        if need is None or (isinstance(request, SignalWorkflow) and request.external is not None):
            self._caller.refuse(kind.__name__, namespace, f"{kind.__name__} is for the engine itself.")
        self._caller.need(kind.__name__, need, namespace, workflow_id=address.workflow_id)
        if need.audited or address.namespace == SYSTEM_NAMESPACE:
            await self._act(
                kind.__name__,
                lambda: self._service.request(address, request),
                namespace=address.namespace,
                workflow_id=address.workflow_id,
                run_id=address.run_id,
                reason=getattr(request, "reason", ""),
                **_said(request),
            )
        else:
            await self._service.request(address, request)

    async def update(self, address: RunAddress, request: UpdateWorkflow, wait: UpdateStage) -> UpdateOutcome:
        """As ``Service.update``."""
        self._allow_run("update", address)
        if request.callbacks:
            self._caller.refuse("update", address.namespace, "callbacks can't be set by whoever asks for an update.")
        if address.namespace == SYSTEM_NAMESPACE:
            outcome: UpdateOutcome = await self._act(
                "update",
                lambda: self._service.update(address, request, wait),
                namespace=SYSTEM_NAMESPACE,
                workflow_id=address.workflow_id,
            )
            return outcome
        return await self._service.update(address, request, wait)

    async def query(
        self, address: RunAddress, name: str, input: Payloads, header: PayloadMap | None = None
    ) -> Payloads:
        """As ``Service.query``."""
        self._allow_run("query", address)
        return await self._service.query(address, name, input, header)

    def wait_closed(self, address: RunAddress, *, follow: bool) -> Awaitable[tuple[str, Event]]:
        """As ``Service.wait_closed``."""
        self._allow_run("wait_closed", address)
        return self._service.wait_closed(address, follow=follow)

    async def describe(self, address: RunAddress) -> RunDescription:
        """As ``Service.describe``."""
        self._allow_run("describe", address)
        return await self._service.describe(address)

    async def explain(self, address: RunAddress) -> Explanation:
        """As ``Service.explain``."""
        self._allow_run("explain", address)
        return await self._service.explain(address)

    async def history(self, address: RunAddress, *, after: int, limit: int, wait: bool) -> HistoryPage:
        """As ``Service.history``."""
        self._allow_run("history", address)
        page = await self._service.history(address, after=after, limit=limit, wait=wait)
        self._caller.still_good()  # it may have waited long
        return page

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
        """As ``Service.reset``."""
        self._allow_run("reset", address)
        new: str = await self._act(
            "reset",
            lambda: self._service.reset(
                address,
                event_id=event_id,
                reason=reason,
                request_id=request_id,
                loses_children=loses_children,
                leaves_out=leaves_out,
            ),
            namespace=address.namespace,
            workflow_id=address.workflow_id,
            run_id=address.run_id,
            event_id=event_id,
            reason=reason,
        )
        return new

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
        """As ``Service.fork``."""
        self._allow_run("fork", address)
        copy = RunAddress(address.namespace, workflow_id)
        self._caller.need("fork", OPERATIONS["fork"], self._meant(copy), workflow_id=workflow_id)
        new: str = await self._act(
            "fork",
            lambda: self._service.fork(
                address, event_id=event_id, workflow_id=workflow_id, input=input, reason=reason, request_id=request_id
            ),
            namespace=address.namespace,
            workflow_id=address.workflow_id,
            run_id=address.run_id,
            event_id=event_id,
            new_workflow_id=workflow_id,
            reason=reason,
        )
        return new

    async def import_run(self, address: RunAddress, events: Sequence[Event]) -> str:
        """As ``Service.import_run``."""
        self._allow_run("import_run", address)
        new: str = await self._act(
            "import_run",
            lambda: self._service.import_run(address, events),
            namespace=address.namespace,
            workflow_id=address.workflow_id,
            run_id=address.run_id,
        )
        return new

    async def delete(self, address: RunAddress) -> None:
        """As ``Service.delete``."""
        self._allow_run("delete", address)
        await self._act(
            "delete",
            lambda: self._service.delete(address),
            namespace=address.namespace,
            workflow_id=address.workflow_id,
            run_id=address.run_id,
        )

    # --- lists

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
        """As ``Service.list``. Of the engine's own runs, those that work for a namespace the caller may look at."""
        principal = self._caller.principal
        is_partial = namespace == SYSTEM_NAMESPACE and not principal.may(Permission.READ, ALL_NAMESPACES)
        if is_partial:
            self._caller.enter()
        else:
            self._allow("list", namespace)
        page = await self._service.list(
            namespace, filter=filter, statuses=statuses, workflow_type=workflow_type, cursor=cursor, limit=limit
        )
        if not is_partial:
            return page
        runs = [run for run in page.runs if principal.may(Permission.READ, served_namespace(run.workflow_id))]
        return RunPage(runs, page.next_cursor)

    async def count(
        self, namespace: str, *, filter: str, statuses: Sequence[RunStatus], workflow_type: str
    ) -> RunCount:
        """As ``Service.count``."""
        self._allow("count", ALL_NAMESPACES if namespace == SYSTEM_NAMESPACE else namespace)
        return await self._service.count(namespace, filter=filter, statuses=statuses, workflow_type=workflow_type)

    # --- namespaces

    async def search_attributes(self, namespace: str) -> AttributeTypes:
        """As ``Service.search_attributes``."""
        self._allow("search_attributes", namespace)
        return await self._service.search_attributes(namespace)

    async def add_search_attributes(self, namespace: str, types: AttributeTypes) -> None:
        """As ``Service.add_search_attributes``."""
        self._allow("add_search_attributes", namespace)
        await self._act(
            "add_search_attributes",
            lambda: self._service.add_search_attributes(namespace, types),
            namespace=namespace,
            types=", ".join(f"{name}={type}" for name, type in types.items()),
        )

    async def remove_search_attributes(self, namespace: str, names: Sequence[str]) -> None:
        """As ``Service.remove_search_attributes``."""
        self._allow("remove_search_attributes", namespace)
        await self._act(
            "remove_search_attributes",
            lambda: self._service.remove_search_attributes(namespace, names),
            namespace=namespace,
            names=", ".join(names),
        )

    async def set_namespace(self, namespace: Namespace) -> None:
        """As ``Service.set_namespace``."""
        self._allow("set_namespace", namespace.name)
        await self._act(
            "set_namespace",
            lambda: self._service.set_namespace(namespace),
            namespace=namespace.name,
            retention_ns=namespace.retention_ns,
            quota=repr(namespace.quota),
        )

    async def describe_namespace(self, name: str) -> NamespaceDescription:
        """As ``Service.describe_namespace``."""
        self._allow("describe_namespace", ALL_NAMESPACES if name == SYSTEM_NAMESPACE else name)
        return await self._service.describe_namespace(name)

    async def delete_namespace(self, name: str, *, force: bool) -> None:
        """As ``Service.delete_namespace``."""
        self._allow("delete_namespace", name)
        await self._act(
            "delete_namespace", lambda: self._service.delete_namespace(name, force=force), namespace=name, force=force
        )

    async def namespaces(self) -> Sequence[Namespace]:
        """As ``Service.namespaces``: those that the caller may look at, and the engine's own."""
        self._caller.enter()
        principal = self._caller.principal
        return [
            namespace
            for namespace in await self._service.namespaces()
            if namespace.name == SYSTEM_NAMESPACE or principal.may(Permission.READ, namespace.name)
        ]

    async def statistics(self, days: int) -> Figures:
        """As ``Service.statistics``."""
        self._allow("statistics", ALL_NAMESPACES)
        return await self._service.statistics(days)

    # --- task queues

    async def set_task_queue(self, settings: TaskQueue) -> None:
        """As ``Service.set_task_queue``."""
        self._allow("set_task_queue", settings.namespace)
        await self._act(
            "set_task_queue",
            lambda: self._service.set_task_queue(settings),
            namespace=settings.namespace,
            task_queue=settings.name,
            settings=repr(settings),
        )

    async def pause_task_queue(self, namespace: str, name: str, reason: str | None) -> None:
        """As ``Service.pause_task_queue``."""
        self._allow("pause_task_queue", namespace)
        await self._act(
            "pause_task_queue" if reason is not None else "resume_task_queue",
            lambda: self._service.pause_task_queue(namespace, name, reason),
            namespace=namespace,
            task_queue=name,
            reason=reason,
        )

    async def task_queues(self, namespace: str) -> Sequence[TaskQueue]:
        """As ``Service.task_queues``."""
        self._allow("task_queues", namespace)
        return await self._service.task_queues(namespace)

    async def describe_task_queue(self, namespace: str, name: str) -> TaskQueueDescription:
        """As ``Service.describe_task_queue``."""
        self._allow("describe_task_queue", namespace)
        return await self._service.describe_task_queue(namespace, name)

    async def workers(self, namespace: str) -> Sequence[WorkerDescription]:
        """As ``Service.workers``."""
        self._allow("workers", namespace)
        return await self._service.workers(namespace)


class _Tagged(msgspec.Struct):
    """What commands to the engine's own runs have in common."""

    type: str = ""


_decode_tagged = msgspec.json.Decoder(_Tagged).decode


def _said(request: OutsideRequest) -> dict[str, str]:
    """Which command a signal to one of the engine's own runs is; not what comes with it, which may be a user's values."""
    if not isinstance(request, SignalWorkflow):
        return {}
    try:
        command = _decode_tagged(request.input[0].data).type
    except (IndexError, msgspec.DecodeError):
        command = ""
    return {"signal": request.signal_name, "command": command}
