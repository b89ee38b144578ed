"""Nexus: operations that a workflow asks of whoever serves an endpoint, and what becomes of them."""

import asyncio
import uuid
from typing import Any

import nexusrpc
from nexusrpc.handler import (
    CancelOperationContext,
    OperationHandler,
    StartOperationContext,
    StartOperationResultAsync,
    operation_handler,
    service_handler,
    sync_operation,
)
from temporalio import nexus, workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.workflow import NexusOperationCancellationType
from tests.protocols.temporal.python.telling import QUEUE, SECOND, Teller, history, outcome, story, until

ENDPOINT, NOBODYS, MISSING = "python-endpoint", "python-nobodys-endpoint", "python-no-endpoint"
CANCELS = {
    "abandon": NexusOperationCancellationType.ABANDON,
    "try": NexusOperationCancellationType.TRY_CANCEL,
    "wait-requested": NexusOperationCancellationType.WAIT_REQUESTED,
    "wait-completed": NexusOperationCancellationType.WAIT_COMPLETED,
}
GREETER = "Greeter"
attempts: dict[str, int] = {}


class Stubborn(OperationHandler[str, str]):
    """An operation that is accepted, and that nothing ever ends; or that can't be cancelled."""

    async def start(self, ctx: StartOperationContext, input: str) -> StartOperationResultAsync:
        return StartOperationResultAsync(f"token of {input}")

    async def cancel(self, ctx: CancelOperationContext, token: str) -> None:
        if token.endswith("refuses"):
            raise nexusrpc.HandlerError("it can't be cancelled", type=nexusrpc.HandlerErrorType.BAD_REQUEST)
        if token.endswith("refuses once") and not attempts.setdefault(token, 0):
            attempts[token] += 1
            raise nexusrpc.HandlerError("not now", type=nexusrpc.HandlerErrorType.INTERNAL)


@service_handler(name=GREETER)
class Greeter:
    @sync_operation
    async def greet(self, ctx: StartOperationContext, name: str) -> str:
        match name:
            case "a failure":
                raise nexusrpc.OperationError("not today", state=nexusrpc.OperationErrorState.FAILED)
            case "a cancellation":
                raise nexusrpc.OperationError("called off", state=nexusrpc.OperationErrorState.CANCELED)
            case "a bad request":
                raise nexusrpc.HandlerError("what is that?", type=nexusrpc.HandlerErrorType.BAD_REQUEST)
            case "an error once":
                attempts[ctx.request_id] = attempts.get(ctx.request_id, 0) + 1
                if attempts[ctx.request_id] == 1:
                    raise nexusrpc.HandlerError("try again", type=nexusrpc.HandlerErrorType.INTERNAL)
                return f"attempt {attempts[ctx.request_id]}"
            case "an error that is final":
                raise nexusrpc.HandlerError(
                    "never try again", type=nexusrpc.HandlerErrorType.INTERNAL, retryable_override=False
                )
            case "an application's error":
                raise ApplicationError("of the application", "detail", type="Mine", non_retryable=True)
            case "headers":
                return str(sorted(set(ctx.headers) & {"my-header", "operation-timeout", "request-timeout"}))
            case _:
                return f"hello {name}"

    @operation_handler
    def stubborn(self) -> OperationHandler[str, str]:
        return Stubborn()

    @nexus.workflow_run_operation
    async def work(self, ctx: nexus.WorkflowRunOperationContext, input: list[str]) -> nexus.WorkflowHandle[str]:
        workflow_id, what = input
        conflict = WorkflowIDConflictPolicy.USE_EXISTING if what == "shared" else WorkflowIDConflictPolicy.UNSPECIFIED
        return await ctx.start_workflow(Working.run, what, id=workflow_id, id_conflict_policy=conflict)


@workflow.defn
class Working:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True

    @workflow.run
    async def run(self, what: str) -> str:
        match what:
            case "done":
                return "done"
            case "fails":
                raise ApplicationError("the work failed", "detail", type="Working")
            case "continues":
                workflow.continue_as_new("done")
            case "cleans up":
                try:
                    await workflow.wait_condition(lambda: False)
                except asyncio.CancelledError:
                    await asyncio.sleep(0.1)
                    raise
            case _:
                pass
        await workflow.wait_condition(lambda: self.told)
        return f"{what} was told"


@workflow.defn
class Asking:
    """Asks for one operation."""

    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True

    @workflow.run
    async def run(self, operation: str, input: Any, options: dict[str, Any]) -> Any:
        endpoint = options.pop("endpoint", ENDPOINT)
        options = {name: SECOND * value if name.endswith("timeout") else value for name, value in options.items()}
        client = workflow.create_nexus_client(service=GREETER, endpoint=endpoint)
        return await client.execute_operation(operation, input, **options)


@workflow.defn
class CallingOff(Asking):
    @workflow.run
    async def run(self, operation: str, input: Any, options: dict[str, Any]) -> Any:
        kind, early = CANCELS[options["cancel"]], options.get("early", False)
        client = workflow.create_nexus_client(service=GREETER, endpoint=options.get("endpoint", ENDPOINT))
        starting: asyncio.Future[Any] = asyncio.ensure_future(
            client.start_operation(operation, input, cancellation_type=kind)
        )
        try:
            if early:
                await workflow.wait_condition(lambda: self.told)
                starting.cancel()
                return await (await starting)
            handle = await starting
            await workflow.wait_condition(lambda: self.told)
            handle.cancel()
            return await handle
        except (Exception, asyncio.CancelledError) as error:
            return [f"{type(each).__name__}: {each}" for each in (error, error.__cause__)]


WORKFLOWS = [Working, Asking, CallingOff]
SERVICES = [Greeter()]


async def endpoints(client: Client) -> None:
    """See that the stories' endpoints are there."""
    for name, queue in ((ENDPOINT, QUEUE), (NOBODYS, "python-nobody")):
        target = EndpointTarget(worker=EndpointTarget.Worker(namespace=client.namespace, task_queue=queue))
        try:
            await client.operator_service.create_nexus_endpoint(
                CreateNexusEndpointRequest(spec=EndpointSpec(name=name, target=target))
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise


async def pending(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """The operations that a run waits for, as its description says."""
    described = (await handle.describe()).raw_description
    return [
        {
            "endpoint": one.endpoint,
            "service": one.service,
            "operation": one.operation,
            "state": one.state,
            "cancellation": one.cancellation_info.state if one.HasField("cancellation_info") else None,
            "is_token_known": bool(one.operation_token),
            "is_blocked": bool(one.blocked_reason),
            "failed": one.last_attempt_failure.message,
        }
        for one in described.pending_nexus_operations
    ]


async def callbacks(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """Who is told when a run closes, as its description says."""
    described = (await handle.describe()).raw_description
    return [
        {
            "trigger": one.trigger.WhichOneof("variant"),
            "state": one.state,
            "attempt": one.attempt,
            "headers": sorted(set(one.callback.nexus.header) - {"source"}),
        }
        for one in described.callbacks
    ]


def single(name: str, operation: str, input: Any, **options: Any) -> None:
    """A story of one operation that its workflow waits for."""

    async def tell(teller: Teller) -> Any:
        return await teller.run(Asking.run, operation, input, options)

    tell.__name__ = name
    story(tell)


single("nexus", "greet", "you")
single("nexus_fails", "greet", "a failure")
single("nexus_is_cancelled", "greet", "a cancellation")
single("nexus_bad_request", "greet", "a bad request")
single("nexus_retried", "greet", "an error once")
single("nexus_final_error", "greet", "an error that is final")
single("nexus_application_error", "greet", "an application's error")
single("nexus_unknown_operation", "unheard-of", "you")
single("nexus_headers", "greet", "headers", headers={"My-Header": "value"})
single("nexus_with_summary", "greet", "you", summary="a summary")
single("nexus_schedule_to_close_timeout", "greet", "you", endpoint=NOBODYS, schedule_to_close_timeout=1)
single("nexus_started_then_schedule_to_close", "stubborn", "waits", schedule_to_close_timeout=2)


async def worked(teller: Teller, what: str, *, part: str = "work") -> Any:
    """An operation that is a workflow's run."""
    work_id = teller.id(part)
    found = await teller.run(Asking.run, "work", [work_id, what], {})
    work = teller.client.get_workflow_handle(work_id)
    described = await work.describe()
    teller.runs.append((work_id, described.raw_description.workflow_execution_info.first_run_id))
    return [found, await callbacks(work)]


@story
async def nexus_workflow(teller: Teller) -> Any:
    return await worked(teller, "done")


@story
async def nexus_workflow_fails(teller: Teller) -> Any:
    return await worked(teller, "fails")


@story
async def nexus_workflow_continues(teller: Teller) -> Any:
    return await worked(teller, "continues")


async def started(teller: Teller, what: str, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """The run that asks for an operation, and the run that is the operation, which waits."""
    work_id = teller.id("work")
    handle = await teller.start(CallingOff.run if options else Asking.run, "work", [work_id, what], options or {})
    await until(handle, "NEXUS_OPERATION_STARTED")
    work = teller.client.get_workflow_handle(work_id)
    await until(work, "WORKFLOW_TASK_COMPLETED")
    teller.runs.append((work_id, (await work.describe()).run_id))
    return handle, work


@story
async def nexus_workflow_told(teller: Teller) -> Any:
    handle, work = await started(teller, "waits")
    waiting = [await pending(handle), await callbacks(work)]
    await work.signal(Working.go)
    return [waiting, await outcome(handle.result()), await pending(handle), await callbacks(work)]


@story
async def nexus_workflow_terminated(teller: Teller) -> Any:
    handle, work = await started(teller, "waits")
    await work.terminate("enough")
    return await outcome(handle.result())


@story
async def nexus_workflow_cancelled(teller: Teller) -> Any:
    handle, work = await started(teller, "cleans up")
    await work.cancel()
    return await outcome(handle.result())


@story
async def nexus_caller_cancelled(teller: Teller) -> Any:
    handle, work = await started(teller, "cleans up")
    await handle.cancel()
    return [await outcome(handle.result()), await outcome(work.result())]


@story
async def nexus_caller_terminated(teller: Teller) -> Any:
    handle, work = await started(teller, "waits")
    await handle.terminate("enough")
    await work.signal(Working.go)
    return [await outcome(work.result())]


def called_off(kind: str) -> None:
    async def tell(teller: Teller) -> Any:
        handle, work = await started(teller, "cleans up" if kind.startswith("wait") else "waits", {"cancel": kind})
        await handle.signal(Asking.go)
        found = await outcome(handle.result())
        if kind in ("abandon", "try"):  # a caller that closes with its request to cancel does not send it
            await work.signal(Working.go)
        return [found, await outcome(work.result())]

    tell.__name__ = f"nexus_cancel_{kind.replace('-', '_')}"
    story(tell)


for each in CANCELS:
    called_off(each)


@story
async def nexus_cancel_refused(teller: Teller) -> Any:
    handle = await teller.start(CallingOff.run, "stubborn", "what refuses", {"cancel": "wait-requested"})
    await until(handle, "NEXUS_OPERATION_STARTED")
    await handle.signal(Asking.go)
    return await outcome(handle.result())


@story
async def nexus_cancel_retried(teller: Teller) -> Any:
    token = f"{uuid.uuid4()} refuses once"
    handle = await teller.start(CallingOff.run, "stubborn", token, {"cancel": "wait-requested"})
    teller.runs.clear()  # its input differs each time
    await until(handle, "NEXUS_OPERATION_STARTED")
    await handle.signal(Asking.go)
    return [await outcome(handle.result()), [event.event_type for event in await history(handle)]]


@story
async def nexus_cancel_before_start(teller: Teller) -> Any:
    handle = await teller.start(
        CallingOff.run, "greet", "you", {"cancel": "wait-completed", "early": True, "endpoint": NOBODYS}
    )
    await until(handle, "WORKFLOW_TASK_COMPLETED")
    waiting = await pending(handle)
    await handle.signal(Asking.go)
    await until(handle, "NEXUS_OPERATION_CANCEL_REQUESTED")
    later = await pending(handle)
    await handle.terminate("enough")
    return [waiting, later]


@story
async def nexus_unknown_endpoint(teller: Teller) -> Any:
    handle = await teller.start(Asking.run, "greet", "you", {"endpoint": MISSING})
    await until_failed(handle)
    await handle.terminate("enough")
    return "its turn fails"


async def until_failed(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until a turn of a run has failed."""
    while not any(event.HasField("workflow_task_failed_event_attributes") for event in await history(handle)):
        await asyncio.sleep(0.05)


@story
async def nexus_two_callers(teller: Teller) -> Any:
    work_id = teller.id("work")
    first = await teller.start(Asking.run, "work", [work_id, "shared"], {}, part="first")
    await until(first, "NEXUS_OPERATION_STARTED")
    work = teller.client.get_workflow_handle(work_id)
    await until(work, "WORKFLOW_TASK_COMPLETED")
    second = await teller.start(Asking.run, "work", [work_id, "shared"], {}, part="second")
    await until(second, "NEXUS_OPERATION_STARTED")
    teller.runs.append((work_id, (await work.describe()).run_id))
    told = await callbacks(work)
    await work.signal(Working.go)
    return [told, await outcome(first.result()), await outcome(second.result())]
