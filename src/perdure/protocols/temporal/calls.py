"""What every method is given: who calls, and the parts of the server that it may use."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from temporalio.api.errordetails.v1 import message_pb2 as details

from perdure.engine.endpoints import Endpoints
from perdure.engine.operation_tokens import Seals
from perdure.engine.operations import Operations
from perdure.engine.polls import Polls
from perdure.engine.turn_polls import TurnPolls
from perdure.model.access import Permission, Session
from perdure.model.errors import NotFoundError
from perdure.model.ids import RunAddress
from perdure.model.options import DEFAULT_NAMESPACE
from perdure.model.requests import StartWorkflow
from perdure.model.service import Service
from perdure.protocols.temporal.errors import Code, Refused

LONG_POLL_SECONDS = 60.0
"""A poll is answered after this at the latest, with nothing if there is nothing."""

LEAD_SECONDS = 1.0
"""So long before the caller gives up a poll is answered."""


BeginCallback = Callable[[StartWorkflow, str, tuple[str, Mapping[str, str], int]], Awaitable[str]]
"""Sees that somebody is told by HTTP when the run of a start, in a namespace, has closed: given a URL, headers, and which of
the start's callbacks it is; the workflow id of the engine's own run that will tell them."""


class Parts:
    """What the room is given, for all calls. ``schedules`` and ``batches`` give those of a namespace, for somebody;
    ``seals`` make the tokens of operations, ``now`` gives ns since 1970."""

    def __init__(
        self,
        service: Service,
        polls: Polls,
        turns: TurnPolls,
        operations: Operations,
        version: str,
        schedules: Callable[[str, str], Any],
        batches: Callable[[str, str], Any],
        endpoints: Endpoints,
        seals: Seals,
        now: Callable[[], int],
        begin_callback: BeginCallback,
    ) -> None:
        self.service = service
        self.polls = polls
        self.turns = turns
        self.operations = operations
        self.deployments = turns.deployments
        self.endpoints = endpoints
        self.seals = seals
        self.now = now
        self.begin_callback = begin_callback
        self.version = version
        self.schedules = schedules
        self.batches = batches
        self.namespaces: set[str] = {DEFAULT_NAMESPACE}
        """Those that are known to be there."""

    async def know(self, namespace: str) -> None:
        """See that a namespace is there. Raises ``Refused``."""
        if namespace in self.namespaces:
            return
        if not namespace:
            raise Refused.invalid("Namespace is empty.")
        try:
            await self.service.describe_namespace(namespace)
        except NotFoundError:
            raise Refused(
                Code.NOT_FOUND,
                f"Namespace {namespace} is not found.",
                details.NamespaceNotFoundFailure(namespace=namespace),
            ) from None
        self.namespaces.add(namespace)


class Call(msgspec.Struct):
    """One call. ``seconds_left`` is how long the caller waits; ``headers`` are what it sent along."""

    parts: Parts
    session: Session
    seconds_left: float
    headers: Mapping[bytes, bytes]

    @property
    def service(self) -> Service:
        """The engine, for this caller."""
        return self.session.service

    @property
    def poll_seconds(self) -> float:
        """How long a poll may last."""
        return max(0.0, min(LONG_POLL_SECONDS, self.seconds_left - LEAD_SECONDS))

    async def namespace(
        self, given: str, permission: Permission = Permission.READ, or_else: Permission | None = None
    ) -> str:
        """The namespace of a request. Raises ``PermissionDeniedError`` for one where the caller may do neither of these,
        whether it is there or not; ``Refused`` for one that is not there."""
        if or_else is not None and self.session.principal.may(or_else, given):
            permission = or_else
        self.session.require(permission, given)
        await self.parts.know(given)
        return given


Handler = Callable[[Call, Any], Awaitable[Any]]


class Methods:
    """The methods of a service that are there, by name."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def add(self, handler: Callable[[Call, Any], Awaitable[Any]]) -> Callable[[Call, Any], Awaitable[Any]]:
        """``start_workflow_execution`` serves ``StartWorkflowExecution``."""
        self.handlers["".join(word.capitalize() for word in handler.__name__.split("_"))] = handler
        return handler


def execution_of(namespace: str, execution: Any) -> RunAddress:
    """A run that a request names. Raises ``Refused``."""
    if not execution.workflow_id:
        raise Refused.invalid("WorkflowId is not set on request.")
    return RunAddress(namespace, execution.workflow_id, execution.run_id)
