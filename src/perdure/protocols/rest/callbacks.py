"""Outbound callbacks: a run is started together with whom to tell when it closes, and they are told."""

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from perdure.engine.documents import Kept
from perdure.model import events as e
from perdure.model.access import Permission
from perdure.model.errors import (
    AlreadyExistsError,
    ApplicationError,
    InvalidArgumentError,
    NotFoundError,
    PerdureError,
    PermissionDeniedError,
    RunClosedError,
    StoreError,
)
from perdure.model.ids import Completion, CompletionCallback, RunAddress
from perdure.model.namespaces import Namespace
from perdure.model.requests import StartWorkflow, TerminateWorkflow
from perdure.model.service import Service, StartResult
from perdure.model.system import SYSTEM_NAMESPACE, served_namespace, system_workflow_id
from perdure.model.webhooks import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from perdure.protocols.rest.asking import Asked, Name
from perdure.protocols.rest.kept import SigningSecret
from perdure.protocols.rest.nexus_completions import completion as nexus_completion
from perdure.protocols.rest.operations import Call
from perdure.protocols.rest.outbound import Outbound
from perdure.protocols.rest.parts import CallbackRequest
from perdure.protocols.rest.signing import no_secret
from perdure.protocols.rest.values import NULL_VALUE
from perdure.protocols.rest.views import OutcomeView, outcome_view

KIND, SIGNAL = "callback", "closed"

RECORDS_NS = 30 * 86_400 * 1_000_000_000

LARGEST_RESULT_BYTES = 256 * 1024


class CallbackBody(Asked):
    """Whom to tell when the workflow has ended: a signed POST to ``url``, tried for about three days."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    secret: Name = "default"


class Closed(msgspec.Struct, frozen=True):
    """How a workflow ended. A result of more than 256 KiB is left out; ask for it."""

    namespace: str
    outcome: OutcomeView
    result_is_left_out: bool


class Message(msgspec.Struct, frozen=True):
    """What is posted, in the shape that Standard Webhooks recommends."""

    type: str
    timestamp: datetime
    data: Closed


async def start_with_callbacks(
    call: "Call[Any, Any]", request: StartWorkflow, callbacks: list[CallbackBody]
) -> StartResult:
    """Start a run of which others hear when it has ended. Only a new run can have callbacks.

    Raises ``AlreadyExistsError`` if the start leads to somebody else's run, and what a start raises.
    """
    call.require(Permission.OPERATE)
    for callback in callbacks:
        call.parts.outbound.check(callback.url)
        if await call.parts.signing_secrets.get(call.namespace, callback.secret) is None:
            raise no_secret(callback.secret)
    # A URL may have a secret in its path or query, but where what leaves the server goes is for the audit log.
    hosts = ", ".join(sorted({urlsplit(callback.url).hostname or "" for callback in callbacks}))
    return await call.perform(
        Permission.OPERATE,
        lambda: _start(call, request, callbacks),
        workflow_id=request.workflow_id,
        workflow_type=request.workflow_type,
        callbacks_to=hosts,
    )


async def _start(call: "Call[Any, Any]", request: StartWorkflow, callbacks: list[CallbackBody]) -> StartResult:
    parts, namespace = call.parts, call.namespace
    name = hashlib.sha256(f"{request.workflow_id}\0{request.request_id}".encode()).hexdigest()[:32]
    own = RunAddress(SYSTEM_NAMESPACE, system_workflow_id(KIND, namespace, name))
    targets = [(callback.url, callback.secret) for callback in callbacks]
    await keep_records(parts.service)
    # First the one that will be told: a run that closes at once must find it.
    is_ours = await _begin(parts.service, parts.callback_request, own, namespace, request, targets)
    telling = CompletionCallback(own.namespace, own.workflow_id, SIGNAL)
    try:
        result = await parts.service.start(namespace, msgspec.structs.replace(request, completion_callback=telling))
        if not result.is_new and not await _tells(
            parts.service, RunAddress(namespace, request.workflow_id, result.run_id), own.workflow_id
        ):
            raise AlreadyExistsError(
                f"Workflow {request.workflow_id!r} is there already, as {result.run_id}; callbacks are set when a run is "
                "started. Choose another id, or id_conflict='terminate'.",
                result.run_id,
            )
    except StoreError:
        raise  # it may have been started all the same; the callback's run finds out
    except PerdureError:
        if is_ours:
            await _end(parts.service, own)
        raise
    return result


async def keep_records(service: Service) -> None:
    """What became of callbacks can be seen for a month."""
    if all(one.name != SYSTEM_NAMESPACE for one in await service.namespaces()):
        await service.set_namespace(Namespace(SYSTEM_NAMESPACE, RECORDS_NS, "the engine's own runs"))


async def _begin(
    service: Service,
    make: CallbackRequest,
    own: RunAddress,
    namespace: str,
    request: StartWorkflow,
    targets: list[tuple[str, str]],
) -> bool:
    try:
        begun = await service.start(
            SYSTEM_NAMESPACE,
            make(own.workflow_id, namespace, request.workflow_id, targets, request.request_id, request.identity),
        )
    except AlreadyExistsError:
        return False  # the same start again, whose run has closed and been told of
    return begun.is_new


async def _end(service: Service, own: RunAddress) -> None:
    try:
        await service.request(own, TerminateWorkflow("the run that it waits for was not started"))
    except (NotFoundError, RunClosedError):
        pass


async def _tells(service: Service, address: RunAddress, callback_id: str, *, attached: bool = False) -> bool:
    """Whether a run tells one of ours when it closes: since its start, or also if that was ``attached`` later."""
    try:
        page = await service.history(address, after=0, limit=1, wait=False)
        while page.events:
            if any(callback.workflow_id == callback_id for event in page.events for callback in _callbacks(event)):
                return True
            if not attached:
                break
            page = await service.history(address, after=page.events[-1].id, limit=1_000, wait=False)
    except NotFoundError:
        pass
    return False


def _callbacks(event: e.Event) -> tuple[CompletionCallback, ...]:
    if isinstance(event, e.WorkflowExecutionStarted):
        first = event.completion_callback
        return event.completion_callbacks if first is None else (first, *event.completion_callbacks)
    return event.attached_callbacks if isinstance(event, e.WorkflowExecutionOptionsUpdated) else ()


class Deliveries:
    """What the workflow ``perdure.callback`` asks of the outside: its activities."""

    def __init__(self, service: Service, secrets: Kept[SigningSecret], outbound: Outbound) -> None:
        self._service = service
        self._secrets = secrets
        self._outbound = outbound

    async def is_awaited(self, namespace: str, workflow_id: str, own_id: str) -> bool:
        """Whether the current run of a workflow id will tell one of ours."""
        _refuse_stranger(namespace, own_id)
        return await _tells(self._service, RunAddress(namespace, workflow_id), own_id, attached=True)

    async def deliver(
        self, namespace: str, url: str, secret: str, message_id: str, completion: Completion, own_id: str
    ) -> None:
        """Post one signed message. Raises ``ApplicationError``: final where trying again is of no use."""
        _refuse_stranger(namespace, own_id)
        kept = await self._secrets.get(namespace, secret)
        if kept is None:
            raise ApplicationError(str(no_secret(secret)), type="NoSigningSecret")
        body = self._message(namespace, completion, *await self._closing(namespace, completion))
        now = time.time()
        signatures = [sign(one, message_id, int(now), body) for one in kept.good(now)]
        headers = {
            "content-type": "application/json",
            ID_HEADER: message_id,
            TIMESTAMP_HEADER: str(int(now)),
            SIGNATURE_HEADER: " ".join(signatures),
        }
        await self._post(url, headers, body)

    async def deliver_completion(
        self, namespace: str, url: str, headers: Mapping[str, str], completion: Completion, own_id: str
    ) -> None:
        """Post one message in Nexus's way. Raises as ``deliver``."""
        _refuse_stranger(namespace, own_id)
        _, closing = await self._closing(namespace, completion)
        await self._post(url, *nexus_completion(closing, headers))

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> None:
        try:
            status = await self._outbound.post(url, headers, body)
        except (InvalidArgumentError, PermissionDeniedError) as error:
            raise ApplicationError(str(error), type="NotAllowed", non_retryable=True) from None
        if not 200 <= status < 300:
            # 410 is how a receiver says that it wants no more of this, see Standard Webhooks.
            raise ApplicationError(f"It answered {status}.", type="NotAccepted", non_retryable=status == 410)

    async def _closing(self, namespace: str, completion: Completion) -> tuple[str, e.Event]:
        address = RunAddress(namespace, completion.workflow_id, completion.run_id)
        try:
            return await self._service.wait_closed(address, follow=False)
        except NotFoundError:
            raise ApplicationError("The run was deleted.", type="Deleted", non_retryable=True) from None

    @staticmethod
    def _message(namespace: str, completion: Completion, run_id: str, closing: e.Event) -> bytes:
        outcome = outcome_view(completion.workflow_id, run_id, closing)
        is_left_out = len(bytes(outcome.result)) > LARGEST_RESULT_BYTES
        if is_left_out:
            outcome = msgspec.structs.replace(outcome, result=NULL_VALUE)
        closed = Closed(namespace, outcome, is_left_out)
        return msgspec.json.encode(Message("workflow.closed", outcome.close_time or datetime.now(UTC), closed))


def _refuse_stranger(namespace: str, own_id: str) -> None:
    if served_namespace(own_id) != namespace:
        raise ApplicationError(
            f"The run {own_id!r} does not work for namespace {namespace!r}.", type="NotAllowed", non_retryable=True
        )
